package core

import (
	"strings"
	"testing"

	"flowctl/engine"
)

const pooled = `
pools: {db: {slots: 3}}
---
flow: f
team: data
schedule: {every: day, start: 2026-11-01}
priority: 3
tasks:
  a: {run: "true", pool: db}
  big: {run: "true", pool: {name: db, slots: 2}}
  c: {run: "true", pool: db}
  free: {run: "true"}
---
flow: later
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  d: {run: "true", pool: db}
`

func TestAPoolIsSharedByTheTasksOfAllFlows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 10)
	w.activate(pooled)
	w.do(StartRun{By: "ann", Flow: "f"})
	w.do(StartRun{By: "ann", Flow: "later"})
	w.wantHeld("f/a@2026-11-19", "f/big@2026-11-19", "f/free@2026-11-19")
	bs := w.m.Blockers(1)["c"]
	if len(bs) != 1 || bs[0].Kind != engine.BlockPool || bs[0].Ref != "db" || len(bs[0].Holders) != 2 {
		t.Fatalf("blockers %+v", bs)
	}
	w.crash() // what is live still holds its slots
	w.wantHeld("f/a@2026-11-19", "f/big@2026-11-19", "f/free@2026-11-19")
	w.finish("f/a@2026-11-19", engine.Succeeded)
	w.wantHeld("f/big@2026-11-19", "f/c@2026-11-19", "f/free@2026-11-19")
	w.finish("f/big@2026-11-19", engine.Failed)
	w.wantHeld("f/c@2026-11-19", "f/free@2026-11-19", "later/d@2026-11-19")
}

// Nobody overtakes a task that wants many slots.
func TestABigTaskOfAPoolDoesNotStarve(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 10)
	w.activate(strings.Replace(pooled, "slots: 3", "slots: 2", 1))
	w.do(StartRun{By: "ann", Flow: "f"})
	w.do(StartRun{By: "ann", Flow: "later"})
	w.wantHeld("f/a@2026-11-19", "f/free@2026-11-19")
	w.finish("f/a@2026-11-19", engine.Succeeded)
	w.wantHeld("f/big@2026-11-19", "f/free@2026-11-19")
	w.finish("f/big@2026-11-19", engine.Succeeded)
	w.wantHeld("f/c@2026-11-19", "f/free@2026-11-19", "later/d@2026-11-19")
}

// A commit that changes the size of a pool counts at once, and one that wants more than there is takes all.
func TestAPoolIsAsLargeAsTheActiveRevisionSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 10)
	w.activate(strings.Replace(pooled, "slots: 3", "slots: 2", 1))
	w.do(StartRun{By: "ann", Flow: "f"})
	w.activate(strings.NewReplacer("slots: 3", "slots: 1", "slots: 2", "slots: 1").Replace(pooled))
	w.finish("f/a@2026-11-19", engine.Succeeded)
	w.wantHeld("f/big@2026-11-19", "f/free@2026-11-19") // pinned to the commit where it takes two
	w.activate(strings.Replace(pooled, "slots: 3", "slots: 20", 1))
	w.wantHeld("f/big@2026-11-19", "f/c@2026-11-19", "f/free@2026-11-19")
}
