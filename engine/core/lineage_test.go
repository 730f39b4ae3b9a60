package core

import (
	"testing"
	"time"

	"flowctl/engine"
)

// TestARerunWaitsForTheWritersOfWhatItReads: the path is there from the time before, so only the machine knows that it is being
// written anew.
func TestARerunWaitsForTheWritersOfWhatItReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:30:00Z")
	w.join("one", 4)
	w.paths["/p"] = true
	w.activate("flow: up\nteam: data\nschedule: {every: day}\ntasks:\n  a: {run: 'true', outputs: [/p]}\n---\n" +
		"flow: down\nteam: data\nschedule: {every: day}\ntasks:\n  b: {run: 'true', inputs: [/p]}\n")
	w.sleep(time.Hour)
	w.wantHeld("up/a@2026-11-19", "down/b@2026-11-19") // a scheduled run waits for the path alone
	w.drain()
	up, down := w.run("up", "2026-11-19"), w.run("down", "2026-11-19")
	again := func(version int) {
		up, down = w.run("up", "2026-11-19"), w.run("down", "2026-11-19")
		w.do(Reruns{
			Items: []Rerun{{Run: up.ID, Version: version}, {Run: down.ID, Version: version}},
			Rows:  w.load([]engine.RunID{up.ID, down.ID}),
		})
		w.crash()
		w.wantHeld("up/a@2026-11-19")
		w.wantBlocker("down", "2026-11-19", "b", engine.BlockNeed, "")
	}
	again(1)
	w.finish("up/a@2026-11-19", engine.Succeeded)
	w.wantHeld("down/b@2026-11-19")
	w.drain()
	// One that fails leaves the path as it was.
	again(2)
	w.finish("up/a@2026-11-19", engine.Failed)
	w.wantHeld("down/b@2026-11-19")
	w.drain()
	// Alone, the reader does not care how the writer ended, nor whether it ever ran.
	down = w.run("down", "2026-11-19")
	w.do(Rerun{Run: down.ID, Version: 3, Rows: w.load([]engine.RunID{down.ID})})
	w.wantHeld("down/b@2026-11-19")
}

// TestAPathThatIsReadAndWrittenAgainHoldsNobody: each of the two waits for the other's data.
func TestAPathThatIsReadAndWrittenAgainHoldsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:30:00Z")
	w.join("one", 4)
	w.paths["/state"] = true
	w.activate("flow: f\nteam: data\nschedule: {every: day}\ntasks:\n" +
		"  read: {run: 'true', inputs: [/state]}\n  write: {run: 'true', needs: [read], outputs: [/state]}\n")
	w.sleep(time.Hour)
	w.drain()
	r := w.run("f", "2026-11-19")
	w.do(Rerun{Run: r.ID, Version: 1, Rows: w.load([]engine.RunID{r.ID})})
	w.wantHeld("f/read@2026-11-19")
	w.drain()
	w.wantState("f/write@2026-11-19", engine.Succeeded)
}
