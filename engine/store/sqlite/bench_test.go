//go:build cgo

package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // the baseline is the driver as most use it

	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/store/sqlite"
)

// BenchmarkCommit measures durable state changes: groups of rows as the engine makes them (each task run is created, assigned,
// started and ended; one outcome each), against what SQLite does with the bare rows on the same disk in the same run.
//
//	rows/s         rows made durable
//	x-single       rows/s over raw single-row transactions/s
//	of-batched     rows/s over raw rows/s in transactions of 1,000, which have one table, no update and no second index
func BenchmarkCommit(b *testing.B) {
	single, batched := rawBaseline(b)
	for _, group := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("group=%d", group), func(b *testing.B) {
			s := leading(b)
			g := generator{revision: s.revision}
			var c engine.Changes
			rows := 0
			for b.Loop() {
				c.Reset()
				rows += g.fill(&c, group)
				if err := s.Commit(b.Context(), s.term, &c); err != nil {
					b.Fatal(err)
				}
			}
			rate := float64(rows) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "rows/s")
			b.ReportMetric(rate/single, "x-single")
			b.ReportMetric(rate/batched, "of-batched")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkLoad measures how long a server that restarts waits for its state: 1,000 active runs of 100 task runs among as many
// settled ones.
func BenchmarkLoad(b *testing.B) {
	s := leading(b)
	const runs, tasks = 1000, 100
	for i := range 2 * runs {
		id := engine.RunID(i + 1)
		r := engine.Run{ID: id, Flow: "f", Period: period.Period{Start: period.Instant(i), End: period.Instant(i)}, Version: 1, Kind: engine.Scheduled, State: engine.RunActive, Revision: s.revision}
		if i%2 == 0 {
			r.State = engine.RunSucceeded
		}
		c := engine.Changes{Runs: []engine.Run{r}}
		for j := range tasks {
			c.TaskRuns = append(c.TaskRuns, engine.TaskRun{Run: id, Task: fmt.Sprintf("task-%03d", j), State: engine.Waiting})
		}
		if err := s.Commit(b.Context(), s.term, &c); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		n, err := s.Load(b.Context())
		if err != nil || len(n.TaskRuns) != runs*tasks {
			b.Fatalf("%d task runs, %v", len(n.TaskRuns), err)
		}
	}
	b.ReportMetric(float64(runs*tasks)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkOutcomes measures ledger look-ups, in batches of 100 keys.
func BenchmarkOutcomes(b *testing.B) {
	s := leading(b)
	var c engine.Changes
	const keys, batch = 10000, 100
	for i := range keys {
		c.Outcomes = append(c.Outcomes, engine.Outcome{Flow: "f", Task: fmt.Sprintf("t%d", i%batch), Start: period.Instant(i / batch), End: period.Instant(i/batch + 1), Version: 1, Run: 1, State: engine.Succeeded})
	}
	if err := s.Commit(b.Context(), s.term, &c); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		var q []engine.LedgerKey
		for i := range batch {
			o := c.Outcomes[(n+i*7)%keys]
			q = append(q, engine.LedgerKey{Flow: o.Flow, Task: o.Task, Start: o.Start})
		}
		if _, err := s.Outcomes(b.Context(), q); err != nil {
			b.Fatal(err)
		}
		n += batch
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "keys/s")
}

// BenchmarkOpen measures the start of a server on a database that is there.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "flowctl.db")
	for b.Loop() {
		s, err := sqlite.Open(b.Context(), path)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

type leader struct {
	engine.Store
	term     int64
	revision engine.RevisionID
}

func leading(b *testing.B) leader {
	b.Helper()
	s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "flowctl.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	term, err := s.Lead(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	id, err := s.PutRevision(b.Context(), term, &engine.Revision{Commit: "c0ffee"})
	if err != nil {
		b.Fatal(err)
	}
	return leader{s, term, id}
}

// generator makes the rows of task runs that live their whole life, one step of one task run after the other.
type generator struct {
	revision engine.RevisionID
	step     int
}

const tasksPerRun, stepsPerTask = 10, 4

// fill adds at least n rows and returns how many it added.
func (g *generator) fill(c *engine.Changes, n int) int {
	rows := 0
	for rows < n {
		i := g.step / stepsPerTask
		step := g.step % stepsPerTask
		g.step++
		run, now := engine.RunID(i/tasksPerRun+1), period.Instant(1_700_000_000_000_000+int64(g.step)*1000)
		t := engine.TaskRun{Run: run, Task: fmt.Sprintf("task-%d", i%tasksPerRun), State: engine.Waiting}
		a := engine.Attempt{ID: engine.AttemptID(i + 1), Run: run, Task: t.Task, No: 1, Agent: "local", State: engine.Assigned, Assigned: now, ExitCode: -1}
		o := engine.Outcome{Flow: "warehouse.orders", Task: t.Task, Start: period.Instant(run), End: period.Instant(run) + 1, Version: 1, Run: run, State: engine.Succeeded}
		if step > 0 {
			t.Attempts, t.Attempt = 1, a.ID
		}
		switch step {
		case 0:
			if i%tasksPerRun == 0 {
				c.Runs = append(c.Runs, engine.Run{
					ID: run, Flow: "warehouse.orders", Period: period.Period{Kind: period.Hour, Start: o.Start, End: o.End}, Zone: "Asia/Shanghai",
					Label: "2026-11-19", Version: 1, Kind: engine.Scheduled, State: engine.RunActive, Revision: g.revision, Created: now, Due: now,
				})
				rows++
			}
		case 1:
			t.State = engine.Assigned
		case 2:
			t.State, a.State, t.Started, a.Started = engine.Running, engine.Running, now, now
		case 3:
			t.State, a.State, a.ExitCode, t.Started, t.Finished, a.Started, a.Finished = engine.Succeeded, engine.Succeeded, 0, now, now, now, now
			c.Outcomes = append(c.Outcomes, o)
			rows++
		}
		c.TaskRuns = append(c.TaskRuns, t)
		rows++
		if step > 0 {
			c.Attempts = append(c.Attempts, a)
			rows++
		}
	}
	return rows
}

// rawBaseline returns single-row transactions per second and rows per second in transactions of 1,000, through database/sql
// with the same durability.
func rawBaseline(b *testing.B) (single, batched float64) {
	b.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(b.TempDir(), "raw.db")+"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // a benchmark's scratch
	db.SetMaxOpenConns(1)
	ctx := b.Context()
	if _, err := db.ExecContext(ctx, `CREATE TABLE t (id INTEGER PRIMARY KEY, run INTEGER, task TEXT, state TEXT, at INTEGER) STRICT`); err != nil {
		b.Fatal(err)
	}
	return rawRate(ctx, b, db, 1), rawRate(ctx, b, db, 1000)
}

func rawRate(ctx context.Context, b *testing.B, db *sql.DB, group int) float64 {
	b.Helper()
	start, rows := time.Now(), 0 //nolint:forbidigo // a measurement
	for time.Since(start) < 500*time.Millisecond {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			b.Fatal(err)
		}
		stmt, err := tx.PrepareContext(ctx, `INSERT INTO t (run, task, state, at) VALUES (?1, ?2, ?3, ?4)`)
		if err != nil {
			b.Fatal(err)
		}
		for range group {
			if _, err := stmt.ExecContext(ctx, rows, "task", "running", rows); err != nil {
				b.Fatal(err)
			}
			rows++
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(rows) / time.Since(start).Seconds()
}
