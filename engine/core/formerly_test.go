package core

import (
	"testing"
	"time"

	"flowctl/engine"
)

const (
	importer   = "flow: shop\nteam: data\nschedule: {every: day}\ntasks: {import: {run: x}}\n---\n"
	importers  = "flow: shop\nteam: data\nschedule: {every: day}\ntasks: {load: {run: x, formerly: [shop/import]}}\n---\n"
	store      = "flow: store\nteam: data\nschedule: {every: day}\ntasks: {load: {run: x, formerly: [shop/import]}}\n---\n"
	afterLoad  = "flow: report\nteam: data\nschedule: {every: day}\ntasks: {sum: {run: 'echo ${{ needs[''shop/load''].outputs.rows }}', needs: [shop/load]}}\n"
	afterStore = "flow: report\nteam: data\nschedule: {every: day}\ntasks: {sum: {run: 'echo ${{ needs[''store/load''].outputs.rows }}', needs: [store/load]}}\n"
)

// A need on a task that was renamed finds what it made under its old id, in the ledger and in memory.
func TestHistoryOfRenamedTask(t *testing.T) {
	t.Parallel()
	for name, renamed := range map[string]string{"task": importers + afterLoad, "flow": store + afterStore} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "2026-11-19T12:00:00Z")
			rev := w.activate(importer)
			w.join("one", 10)
			w.backfill(rev, "shop", "2026-11-18", "2026-11-18")
			w.finish("shop/import@2026-11-18", engine.Succeeded, "rows=7")
			w.backfill(rev, "shop", "2026-11-17", "2026-11-17") // goes on under its old name

			rev = w.activate(renamed)
			w.backfill(rev, "report", "2026-11-16", "2026-11-18")
			w.wantHeld("report/sum@2026-11-18", "shop/import@2026-11-17")
			for _, a := range w.fleet["one"] {
				if a.Flow == "report" && a.Text != "echo 7" {
					t.Errorf("text %q", a.Text)
				}
			}
			w.wantState("report/sum@2026-11-16", engine.Waiting) // neither name ran
			w.crash()
			w.finish("shop/import@2026-11-17", engine.Succeeded, "rows=8")
			w.wantHeld("report/sum@2026-11-17", "report/sum@2026-11-18")
		})
	}
}

// What failed under the old id is what a need sees, until the task runs under its new one.
func TestFailureOfRenamedTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	rev := w.activate(importer)
	w.join("one", 10)
	w.backfill(rev, "shop", "2026-11-18", "2026-11-18")
	w.finish("shop/import@2026-11-18", engine.Failed)

	rev = w.activate(store + afterStore)
	w.backfill(rev, "report", "2026-11-18", "2026-11-18")
	w.wantState("report/sum@2026-11-18", engine.UpstreamFailed)
	if s := w.run("report", "2026-11-18").State; s != engine.RunFailed {
		t.Fatalf("the run is %s", s)
	}
	w.do(StartBackfill{Revision: rev, Row: engine.BackfillRow{
		Flows: []string{"store"}, From: "2026-11-18", To: "2026-11-18", Reprocess: "failed",
	}})
	w.finish("store/load@2026-11-18", engine.Succeeded, "rows=9")
	w.wantHeld("report/sum@2026-11-18")
}

func TestPreviousOfRenamedTask(t *testing.T) {
	t.Parallel()
	const flow = "flow: f\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks: {"
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate(flow + "a: {run: x, needs: [{task: a, periods: previous}]}}\n")
	w.join("one", 10)
	w.do(StartBackfill{Revision: w.m.Active(), Row: engine.BackfillRow{
		Flows: []string{"f"}, From: "2026-11-18", To: "2026-11-18", Reprocess: "missing", MissingUpstream: "ignore",
	}})
	w.sleep(13 * time.Hour)
	w.finish("f/a@2026-11-18", engine.Succeeded)
	w.finish("f/a@2026-11-19", engine.Succeeded)
	w.activate(flow + "b: {run: x, needs: [{task: b, periods: previous}], formerly: [f/a]}}\n")
	w.sleep(24 * time.Hour)
	w.wantHeld("f/b@2026-11-20")
}

// A backfill leaves periods alone that ran under the name that the whole flow had.
func TestBackfillOfRenamedFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	rev := w.activate(importer)
	w.join("one", 10)
	w.backfill(rev, "shop", "2026-11-17", "2026-11-18")
	w.finish("shop/import@2026-11-17", engine.Succeeded)
	w.drain()
	id := w.backfill(w.activate(store), "store", "2026-11-16", "2026-11-18")
	w.wantHeld("store/load@2026-11-16")
	if b := w.rows.backfill(t, id); b.Created != 1 || b.Skipped != 2 {
		t.Errorf("created %d, left %d alone", b.Created, b.Skipped)
	}
	w.drain()

	// One of its tasks was not there: the flow is another one, with periods of its own.
	rev = w.activate("flow: other\nteam: data\nschedule: {every: day}\ntasks: {load: {run: x, formerly: [shop/import, store/load]}, new: {run: x}}\n")
	w.backfill(rev, "other", "2026-11-18", "2026-11-18")
	w.wantHeld("other/load@2026-11-18", "other/new@2026-11-18")
}

// A rerun waits for who writes what it reads under the id that it had then.
func TestARerunWaitsForAWriterUnderItsFormerId(t *testing.T) {
	t.Parallel()
	const reader = "---\nflow: report\nteam: data\nschedule: {every: day}\ntasks: {sum: {run: x, inputs: [/p]}}\n"
	w := newWorld(t, "2026-11-19T23:30:00Z")
	w.join("one", 4)
	w.paths["/p"] = true
	old := w.activate("flow: shop\nteam: data\nschedule: {every: day}\ntasks: {import: {run: x, outputs: [/p]}}\n" + reader)
	w.sleep(time.Hour)
	w.drain()
	w.activate("flow: store\nteam: data\nschedule: {every: day}\ntasks: {load: {run: x, outputs: [/p], formerly: [shop/import]}}\n" + reader)
	up, down := w.run("shop", "2026-11-19"), w.run("report", "2026-11-19")
	w.do(Reruns{
		Items: []Rerun{{Run: up.ID, Version: 1, Revision: old}, {Run: down.ID, Version: 1}},
		Rows:  w.load([]engine.RunID{up.ID, down.ID}),
	})
	w.wantHeld("shop/import@2026-11-19")
	w.crash()
	w.wantHeld("shop/import@2026-11-19")
	w.finish("shop/import@2026-11-19", engine.Succeeded)
	w.wantHeld("report/sum@2026-11-19")
}
