//go:build linux

package main_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"flowctl/engine"
)

// trace is the file in which the tasks of the crash test leave what they did, in the order in which they did it.
type trace struct {
	path string
	read int // bytes that running has seen
	open int // tasks that have started and not ended by then
}

// running returns how many tasks run.
func (tr *trace) running(t testing.TB) int {
	t.Helper()
	text, err := os.ReadFile(tr.path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, line := range bytes.Split(text[tr.read:], []byte("\n")) {
		switch {
		case bytes.HasPrefix(line, []byte("start ")):
			tr.open++
		case bytes.HasPrefix(line, []byte("end ")):
			tr.open--
		}
	}
	tr.read = len(text)
	return tr.open
}

func (tr *trace) size(t testing.TB) int64 {
	t.Helper()
	s, err := os.Stat(tr.path)
	if err != nil {
		t.Fatal(err)
	}
	return s.Size()
}

// taskRun names a task run as its trace does.
type taskRun struct {
	task, period, id string // of FLOW/TASK; id of the request, for flows on demand
}

// execution is what the trace tells of one attempt.
type execution struct {
	taskRun
	fence, got string
	start, end int // lines of the trace
}

// executions reads the trace: each start must have one end, and no fence may come twice.
func (tr *trace) executions(t testing.TB) map[taskRun][]*execution {
	t.Helper()
	text, err := os.ReadFile(tr.path)
	if err != nil {
		t.Fatal(err)
	}
	byFence := map[string]*execution{}
	all := map[taskRun][]*execution{}
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		w := strings.Fields(line)
		if len(w) != 6 {
			t.Errorf("line %d of the trace: %q", i+1, line)
			continue
		}
		x := byFence[w[4]]
		switch {
		case w[0] == "start" && x != nil:
			t.Errorf("line %d of the trace: a second execution with this fence: %s", i+1, line)
		case w[0] == "start":
			x = &execution{taskRun: taskRun{w[1], w[2], strings.Trim(w[3], "[]")}, fence: w[4], got: w[5], start: i + 1}
			byFence[w[4]] = x
			all[x.taskRun] = append(all[x.taskRun], x)
		case x == nil || x.end != 0:
			t.Errorf("line %d of the trace: an end without its start: %s", i+1, line)
		default:
			x.end = i + 1
		}
	}
	for _, x := range byFence {
		if x.end == 0 {
			t.Errorf("an execution that never ended: %+v", *x)
		}
	}
	return all
}

// check wants that all that was asked for happened exactly once, and nothing else.
func (c *crash) check() {
	c.t.Helper()
	runs := every(c.t, func(p engine.Page) (*engine.List[engine.RunView], error) {
		return c.svc.Runs(c.t.Context(), engine.RunsQuery{Page: p})
	})
	c.checkAsked(runs)
	attempts := c.attempts()
	executions := c.trace.executions(c.t)
	for _, r := range runs {
		if r.State != engine.RunSucceeded || r.Version != 1 {
			c.t.Errorf("%s is %s", r.Name, r.State)
		}
		c.checkRun(r, attempts[r.ID], executions)
	}
	for _, xs := range executions {
		c.t.Errorf("executed for no run: %+v", *xs[0])
	}
	c.checkLedger()
	c.checkCommand(runs)
	total := 0
	for _, as := range attempts {
		total += len(as)
	}
	c.t.Logf("%d runs with %d attempts; %d answers were lost and looked up", len(runs), total, c.lookups.Load())
}

// checkAsked compares the runs with what was asked for.
func (c *crash) checkAsked(runs []engine.RunView) {
	c.t.Helper()
	want := map[string]int{}
	for _, r := range c.runs {
		want[r.flow+" "+r.id]++
	}
	for _, day := range c.days {
		want["daily "+day]++
		for hour := range 24 {
			want[fmt.Sprintf("hourly %sT%02d", day, hour)]++
		}
	}
	found := map[string]int{}
	for _, r := range runs {
		name := r.Flow + " " + r.Period
		if id := r.Params["id"]; id != "" {
			name = r.Flow + " " + id
		}
		found[name]++
		if want[name] == 0 {
			c.t.Errorf("nobody asked for %s (%s)", r.Name, name)
		}
	}
	for name := range want {
		if found[name] != 1 {
			c.t.Errorf("%d runs of %s, want one", found[name], name)
		}
	}
	for _, id := range c.backfills {
		if b, err := c.svc.Backfill(c.t.Context(), id); err != nil || b.State != engine.BackfillDone || b.Succeeded != 25 || b.Total != 25 {
			c.t.Errorf("backfill %d: %+v, %v", id, b, err)
		}
	}
}

// attempts returns all attempts that count, by run: what an agent gave back before it started is none.
func (c *crash) attempts() map[engine.RunID][]engine.AttemptView {
	c.t.Helper()
	byRun := map[engine.RunID][]engine.AttemptView{}
	for _, a := range every(c.t, func(p engine.Page) (*engine.List[engine.AttemptView], error) {
		return c.svc.Attempts(c.t.Context(), engine.AttemptsQuery{Page: p})
	}) {
		if !a.State.Final() {
			c.t.Errorf("attempt %d of %s is still %s", a.ID, a.TaskRun, a.State)
		}
		if a.Code != engine.CodeRefused {
			byRun[a.Run] = append(byRun[a.Run], a)
		}
	}
	return byRun
}

// checkRun wants one attempt and one execution, with all of its log and with what it was passed, for each task; it removes the
// executions.
func (c *crash) checkRun(r engine.RunView, attempts []engine.AttemptView, executions map[taskRun][]*execution) {
	c.t.Helper()
	detail, err := c.svc.Run(c.t.Context(), r.ID)
	if err != nil {
		c.t.Fatal(err)
	}
	done := map[string]*execution{}
	for name := range crashFlows[r.Flow].tasks {
		key := taskRun{r.Flow + "/" + name, r.Period, r.Params["id"]}
		xs := executions[key]
		delete(executions, key)
		if len(xs) != 1 {
			c.t.Errorf("%s/%s was executed %d times", r.Name, name, len(xs))
			continue
		}
		done[name] = xs[0]
	}
	if len(detail.Tasks) != len(crashFlows[r.Flow].tasks) || len(attempts) != len(detail.Tasks) {
		c.t.Errorf("%s has %d task runs and %d attempts, want %d", r.Name, len(detail.Tasks), len(attempts), len(crashFlows[r.Flow].tasks))
	}
	for _, task := range detail.Tasks {
		x, want := done[task.Task], crashFlows[r.Flow].tasks[task.Task]
		if x == nil {
			c.t.Errorf("%s is %s: %s %s", task.Name, task.State, task.Code, task.Message)
			continue
		}
		if task.State != engine.Succeeded || x.fence != strconv.FormatInt(int64(task.Attempt), 10) || task.Outputs["fence"] != x.fence {
			c.t.Errorf("%s: %+v, executed as %+v", task.Name, task, *x)
		}
		if from := done[want.from]; from != nil && (x.got != from.fence || from.end > x.start) {
			c.t.Errorf("%s got %s and began at line %d, want what %+v passed, after its end", task.Name, x.got, x.start, *from)
		}
		c.checkLog(task, want.lines)
	}
}

func (c *crash) checkLog(task engine.TaskRunView, lines int) {
	c.t.Helper()
	var got bytes.Buffer
	if err := c.svc.Logs(c.t.Context(), task.Attempt, 0, false, &got); err != nil {
		c.t.Errorf("the log of %s: %v", task.Name, err)
		return
	}
	if want := logOf(task.Task, lines); got.String() != want {
		c.t.Errorf("the log of %s has %d bytes, want %d: %.200q…", task.Name, got.Len(), len(want), got.Bytes())
	}
}

// logOf is what a task prints.
func logOf(task string, lines int) string {
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "line %d of %s\n", i+1, task)
	}
	return b.String()
}

// checkCommand wants the command line to print a whole log.
func (c *crash) checkCommand(runs []engine.RunView) {
	c.t.Helper()
	i := slices.IndexFunc(runs, func(r engine.RunView) bool { return r.Flow == "logs" })
	if i < 0 {
		return
	}
	out, problems, code := c.flowctl(c.t.Context(), "logs", "logs/large@"+runs[i].Period)
	if want := logOf("large", crashFlows["logs"].tasks["large"].lines); out != want || code != 0 {
		c.t.Errorf("flowctl logs ends with %d and prints %d bytes, want %d: %s", code, len(out), len(want), problems)
	}
}

// checkLogs wants that no process panicked.
func (c *crash) checkLogs() {
	c.t.Helper()
	for _, pattern := range []string{"*.log", "*/plugins/*/*/plugin.log", "*/*/plugins/*/*/plugin.log"} {
		paths, err := filepath.Glob(filepath.Join(c.dir, pattern))
		if err != nil {
			c.t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				c.t.Fatal(err)
			}
			for _, sign := range []string{"panic: ", "fatal error: ", "DATA RACE"} {
				if i := bytes.Index(text, []byte(sign)); i >= 0 {
					c.t.Errorf("%s: %.2000s", path, text[i:])
				}
			}
		}
	}
}

// checkLedger wants that a backfill of the same days finds nothing missing.
func (c *crash) checkLedger() {
	c.t.Helper()
	if len(c.days) == 0 {
		return
	}
	asked := engine.BackfillRequest{Flows: scheduled, From: slices.Min(c.days), To: slices.Max(c.days), Reprocess: "failed"}
	p, err := c.svc.PreviewBackfill(c.t.Context(), asked)
	if err != nil || p.Total != 0 {
		c.t.Errorf("a backfill of what was backfilled would do %+v, %v", p, err)
	}
}

// state is all there is of runs and attempts, line by line.
func (c *crash) state() []string {
	c.t.Helper()
	var lines []string
	for _, r := range every(c.t, func(p engine.Page) (*engine.List[engine.RunView], error) {
		return c.svc.Runs(c.t.Context(), engine.RunsQuery{Page: p})
	}) {
		lines = append(lines, fmt.Sprint(r.ID, r.Name, r.State, r.FinishedAt))
	}
	for _, a := range every(c.t, func(p engine.Page) (*engine.List[engine.AttemptView], error) {
		return c.svc.Attempts(c.t.Context(), engine.AttemptsQuery{Page: p})
	}) {
		lines = append(lines, fmt.Sprint(a.ID, a.TaskRun, a.State, a.FinishedAt))
	}
	return append(lines, fmt.Sprint(c.trace.size(c.t), " bytes of trace"))
}

// tell shows what has not ended and why.
func (c *crash) tell(t testing.TB) {
	t.Helper()
	out, problems, _ := c.flowctl(t.Context(), "get", "runs", "--state", "active")
	t.Log(out, problems)
	out, problems, _ = c.flowctl(t.Context(), "get", "attempts", "--state", "running")
	t.Log(out, problems)
	l, err := c.svc.Runs(t.Context(), engine.RunsQuery{State: engine.RunActive, Page: engine.Page{Limit: 5}})
	if err != nil {
		t.Log(err)
		return
	}
	for _, r := range l.Items {
		out, _, _ = c.flowctl(t.Context(), "explain", r.Name)
		t.Log(out)
	}
}
