package control

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine"
	"flowctl/engine/core"
	"flowctl/engine/gitsync"
	"flowctl/engine/store/sqlite"
	"flowctl/engine/store/storetest"
)

// coldStart is a server without network: the real loop over the real store. It carries assignments to an agent, and what that says back.
type coldStart struct {
	testing.TB
	store   *storetest.Faulty
	service *Service
	loop    *Loop
	agent   *prompt
	reports chan []engine.Report
	stop    context.CancelFunc
	ended   chan error
	silent  chan struct{} // closed when nothing is carried any more
}

// hourly has n flows of ten hourly tasks: one, eight that need it, and one that needs these. Nine of ten flows need the tenth.
func hourly(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "---\nflow: f%03d\nteam: data\nschedule: {every: hour, start: 2024-01-01}\ntasks:\n", i)
		from := ""
		if i%10 > 0 {
			from = fmt.Sprintf(", needs: [f%03d/t9]", i-i%10)
		}
		fmt.Fprintf(&b, "  t0: {run: 'true'%s}\n", from)
		for k := 1; k < 9; k++ {
			fmt.Fprintf(&b, "  t%d: {run: 'true', needs: [t0]}\n", k)
		}
		b.WriteString("  t9: {run: 'true', needs: [t1, t2, t3, t4, t5, t6, t7, t8]}\n")
	}
	return strings.TrimPrefix(b.String(), "---\n")
}

func coldFolder(t testing.TB, flows int) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"flowctl.yaml": flowsRoot, "people.yaml": people, "hourly.yaml": hourly(flows)} {
		if err := os.MkdirAll(filepath.Join(dir, "flows"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "flows", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (c *coldStart) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// startCold starts a server on a folder, to which the agent connects.
func startCold(t testing.TB, dir string, agent *prompt) *coldStart {
	t.Helper()
	c := &coldStart{TB: t, agent: agent, reports: make(chan []engine.Report, 1024), ended: make(chan error, 1), silent: make(chan struct{})}
	now := func() time.Time { return time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC) }
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "data", "flowctl.db"))
	c.must(err)
	c.store = &storetest.Faulty{Store: store}
	source, err := gitsync.Open(t.Context(), gitsync.Options{Repo: filepath.Join(dir, "flows"), Worktree: true})
	c.must(err)
	log := slog.New(slog.DiscardHandler)
	c.service = &Service{
		Store: c.store, Now: now, Caller: func(context.Context) string { return "ann" },
		Follower: &Follower{Source: source, Store: c.store, Now: now, Log: log},
	}
	c.must(c.service.Follower.Open(t.Context()))
	c.loop, err = New(t.Context(), Options{Store: c.store, Fleet: c, Revision: c.service.Follower.Revision, Now: now, Log: log})
	c.must(err)
	ctx, stop := context.WithCancel(t.Context())
	c.stop = stop
	go func() { c.ended <- c.loop.Run(ctx) }()
	go c.speak(ctx)
	c.service.Serve(c.loop)
	if v, err := c.service.Sync(t.Context()); err != nil || v.State != "active" {
		t.Fatalf("%v %v", v, err)
	}
	_, err = c.loop.Do(t.Context(), core.AgentJoined{Hello: agent.hello()})
	c.must(err)
	return c
}

// end stops the loop and closes the store, and returns what the loop ended with.
func (c *coldStart) end() error {
	c.Helper()
	c.stop()
	err := <-c.ended
	<-c.silent
	c.must(c.store.Close())
	return err
}

// speak carries what the agent says to the loop.
func (c *coldStart) speak(ctx context.Context) {
	defer close(c.silent)
	for {
		select {
		case rs := <-c.reports:
			if c.loop.Reported(ctx, "local", rs) != nil {
				return
			}
		case <-c.loop.ended:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (c *coldStart) Assign(_ string, as []*engine.Assignment) { c.reports <- c.agent.execute(as) }
func (c *coldStart) Ack(_ string, ids []engine.AttemptID)     { c.agent.forget(ids) }
func (*coldStart) Kill(string, []engine.AttemptID)            {}
func (*coldStart) Recall(string, []engine.AttemptID)          {}
func (*coldStart) Probe(string, []string, []*flow.Plugin)     {}

// prompt is an agent that ends what it is given at once, and keeps the ends until it hears that they are stored. It survives servers.
type prompt struct {
	slots    int
	mu       sync.Mutex
	held     map[engine.AttemptID]bool
	executed map[string]int // how often, by task run; nil = only counted
	count    int
}

func finished(id engine.AttemptID) engine.Report {
	return engine.Report{Attempt: id, Kind: engine.ReportFinished, Result: engine.Result{State: engine.Succeeded}}
}

func (p *prompt) execute(as []*engine.Assignment) []engine.Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	reports := make([]engine.Report, len(as))
	for i, a := range as {
		if !p.held[a.Attempt] {
			p.held[a.Attempt] = true
			p.count++
			if p.executed != nil {
				p.executed[fmt.Sprintf("%s/%s@%s#%d", a.Flow, a.Task, a.PeriodLabel, a.Version)]++
			}
		}
		reports[i] = finished(a.Attempt)
	}
	return reports
}

func (p *prompt) forget(ids []engine.AttemptID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		delete(p.held, id)
	}
}

func (p *prompt) hello() engine.Hello {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := engine.Hello{Name: "local", BootID: "1", Slots: p.slots}
	for _, id := range slices.Sorted(maps.Keys(p.held)) {
		h.Attempts = append(h.Attempts, finished(id))
	}
	return h
}

// TestColdStartSurvivesRestarts fills two days of 1,000 tasks that run each hour, while the server dies again and again: before a commit, after
// one that it does not hear of, or between two of them. The next one goes on from what is stored; in the end each task run was executed
// exactly once.
func TestColdStartSurvivesRestarts(t *testing.T) {
	t.Parallel()
	const flows, hours = 100, 48
	dir := coldFolder(t, flows)
	agent := &prompt{slots: 500, held: map[engine.AttemptID]bool{}, executed: map[string]int{}}
	random := rand.New(rand.NewPCG(7, 11))
	faults := []storetest.Fault{storetest.FailBefore, storetest.FailAfter, storetest.Fence}
	v, restarts := &engine.BackfillView{}, 0
	for v.FinishedAt == nil {
		c := startCold(t, dir, agent)
		if v.ID == 0 {
			var err error
			v, err = c.service.StartBackfill(t.Context(), engine.BackfillRequest{All: true, From: "2024-01-01", To: "2024-01-02"})
			c.must(err)
		}
		for range random.IntN(40) {
			c.store.Next(storetest.None)
		}
		c.store.Next(faults[random.IntN(len(faults))])
		_ = c.service.WatchBackfill(t.Context(), v.ID, func(now engine.BackfillView) error { v = &now; return nil }) // until the server dies
		if err := c.end(); err == nil && v.FinishedAt == nil {
			t.Fatal("the server ended by itself")
		}
		restarts++
	}
	if v.State != engine.BackfillDone || v.Created != flows*hours || v.Succeeded != flows*hours || v.Failed != 0 {
		t.Errorf("%+v", v)
	}
	for name, times := range agent.executed {
		if times != 1 {
			t.Errorf("%s was executed %d times", name, times)
		}
	}
	if len(agent.executed) != flows*hours*10 || restarts < 5 {
		t.Errorf("%d task runs were executed, with %d restarts", len(agent.executed), restarts)
	}
	t.Logf("%d restarts", restarts)
}

// BenchmarkColdStart fills the past of 1,000 tasks that run each hour, through the loop and the SQLite store, with an agent that ends each
// attempt at once. FLOWCTL_COLD_START is the last day, instead of 2024-01-02: with 2024-12-31 it fills a year, 8.78 million task runs.
//
//	accepted-ms   until the backfill is stored
//	taskruns/s    created, assigned, ended, and in the ledger, all of it durable
//	of-batched    the rows that this writes a second, over what SQLite does with bare rows in transactions of 1,000
//	cpu-us/run    processor time for each task run, which says more when the machine is busy
//	peak-MiB      of memory, of the whole process
func BenchmarkColdStart(b *testing.B) {
	to := cmp.Or(os.Getenv("FLOWCTL_COLD_START"), "2024-01-02")
	raw := rawRows(b)
	for b.Loop() {
		c := startCold(b, coldFolder(b, 100), &prompt{slots: 4096, held: map[engine.AttemptID]bool{}})
		began, spent := time.Now(), processorTime(b)
		v, err := c.service.StartBackfill(b.Context(), engine.BackfillRequest{All: true, From: "2024-01-01", To: to})
		c.must(err)
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "accepted-ms")
		c.must(c.service.WatchBackfill(b.Context(), v.ID, func(now engine.BackfillView) error { v = &now; return nil }))
		took := time.Since(began)
		if v.Succeeded != v.Total || v.Total*10 != c.agent.count {
			b.Fatalf("%+v, and %d attempts", v, c.agent.count)
		}
		rate := float64(v.Total) * 10 / took.Seconds()
		b.ReportMetric(rate, "taskruns/s")
		b.ReportMetric(rate*rowsPerTaskRun/raw, "of-batched")
		b.ReportMetric(float64((processorTime(b)-spent).Microseconds())/float64(v.Total)/10, "cpu-us/run")
		b.ReportMetric(peakMiB(b), "peak-MiB")
		b.ReportMetric(0, "ns/op")
		c.must(c.end())
	}
}

// BenchmarkMaterialise measures how fast the task runs of a backfill come to be, and nothing else of them: days of 1,000 tasks that run each hour,
// each in one window, with no agent that takes them.
func BenchmarkMaterialise(b *testing.B) {
	raw := rawRows(b)
	c := startCold(b, coldFolder(b, 100), &prompt{held: map[engine.AttemptID]bool{}})
	made, day, took := 0, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Duration(0)
	for b.Loop() {
		label := day.Format(time.DateOnly)
		began := time.Now()
		v, err := c.service.StartBackfill(b.Context(), engine.BackfillRequest{All: true, From: label, To: label, MaxActive: 100_000})
		c.must(err)
		c.must(c.loop.Query(b.Context(), func(*core.Machine) {})) // which is answered once all that follows is stored
		took += time.Since(began)
		v, err = c.service.ControlBackfill(b.Context(), v.ID, "cancel")
		c.must(err)
		made += v.Created * 10
		day = day.AddDate(0, 0, 1)
	}
	if made != b.N*24*1000 {
		b.Fatalf("%d task runs in %d days", made, b.N)
	}
	rate := float64(made) / took.Seconds()
	b.ReportMetric(rate, "taskruns/s")
	b.ReportMetric(rate*1.1/raw, "of-batched") // one row for each, and one for each run of ten
	b.ReportMetric(0, "ns/op")
	c.must(c.end())
}

// rowsPerTaskRun is how many rows are written for a task run of a run of ten that is made, given away and ends: itself three times, its attempt
// twice, its line of the ledger, and its part of the run's three.
const rowsPerTaskRun = 6.3

// rawRows returns how many bare rows a second SQLite makes durable in transactions of 1,000.
func rawRows(b *testing.B) float64 {
	b.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(b.TempDir(), "raw.db")+"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // a benchmark's scratch
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(b.Context(), `CREATE TABLE t (id INTEGER PRIMARY KEY, run INTEGER, task TEXT, state TEXT, at INTEGER) STRICT`); err != nil {
		b.Fatal(err)
	}
	began, rows := time.Now(), 0
	for time.Since(began) < time.Second {
		tx, err := db.BeginTx(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		stmt, err := tx.PrepareContext(b.Context(), `INSERT INTO t (run, task, state, at) VALUES (?1, ?2, ?3, ?4)`)
		if err != nil {
			b.Fatal(err)
		}
		for range 1000 {
			if _, err := stmt.ExecContext(b.Context(), rows, "task", "running", rows); err != nil {
				b.Fatal(err)
			}
			rows++
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(rows) / time.Since(began).Seconds()
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMiB is the most memory that this process ever had.
func peakMiB(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("the peak of memory is known on Linux only")
	}
	var kib float64
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscanf(peak, "%f kB", &kib); err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}
