package workload

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Options vary the repository that BQETL makes.
type Options struct {
	// CutKnots makes one need of each knot reach the previous period, which leaves a valid repository. Otherwise the
	// two knots of the source are there, and a compile must report them.
	CutKnots bool
	// NoOp makes every task run `true` and never retry. Otherwise a task prints what it would compute.
	NoOp bool
}

// The facts as recorded.
type (
	facts struct {
		DAGs  []dag     `json:"dags"`
		Tasks []dagTask `json:"tasks"`
	}
	dag struct {
		Name       string `json:"name"`
		Schedule   string `json:"schedule"` // daily, hourly, monthly, once, 3h, 1h or cron
		Owner      string `json:"owner"`
		Start      string `json:"start"`
		End        string `json:"end"`
		Retries    int    `json:"retries"`
		RetryDelay int    `json:"retry_delay_s"`
		OnPast     bool   `json:"depends_on_past"`
		Tier       int    `json:"tier"`
	}
	dagTask struct {
		DAG      string      `json:"dag"`
		Name     string      `json:"name"`
		Table    string      `json:"table"`
		Kind     string      `json:"kind"`
		Retries  *int        `json:"retries"`
		OnPast   *bool       `json:"depends_on_past"` // nil: as the DAG says
		Needs    [][2]string `json:"needs"`
		External []external  `json:"external"`
	}
	// external is an explicit wait for a task of another DAG. The recorded distance in time between the two is what the
	// rule between schedules derives by itself, so it is not used.
	external struct{ dag, task string }
)

// UnmarshalJSON reads [dag, task, seconds].
func (e *external) UnmarshalJSON(text []byte) error {
	var fields []any
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	if len(fields) < 2 {
		return fmt.Errorf("an external dependency has %d fields, want dag, task and seconds", len(fields))
	}
	e.dag, e.task = fmt.Sprint(fields[0]), fmt.Sprint(fields[1])
	return nil
}

// taskID is a task of the source.
type taskID struct{ dag, task string }

// BQETL makes a repository of bqetl.json in the given folder: one flow for each DAG, with its schedule, owner and retries,
// and the needs between its tasks and to those of other flows. DAGs that the source declares without tasks get one
// that does nothing. A DAG that ran once is a flow on demand. Needs on tasks that live elsewhere are left out.
func BQETL(folder string, o Options) (Repository, error) {
	var source facts
	if err := readFacts(folder, "bqetl.json", &source); err != nil {
		return nil, err
	}
	needs := source.needs()
	previous := map[[2]taskID]bool{}
	if o.CutKnots {
		previous = closing(source.ids(), needs)
	}

	tasks := map[string][]dagTask{}
	for _, t := range source.Tasks {
		tasks[t.DAG] = append(tasks[t.DAG], t)
	}
	r := Repository{"flowctl.yaml": []byte("version: 1\n"), "teams.yaml": teams(source.DAGs)}
	for _, d := range source.DAGs {
		var b bytes.Buffer
		d.write(&b, o)
		for _, t := range tasks[d.Name] {
			t.write(&b, d, o, needs[taskID{t.DAG, t.Name}], previous)
		}
		if len(tasks[d.Name]) == 0 {
			b.WriteString("  nothing:\n    run: \"true\"\n")
		}
		r["flows/"+d.Name+".yaml"] = b.Bytes()
	}
	return r, nil
}

// ids lists all tasks in the order of the source.
func (f facts) ids() []taskID {
	ids := make([]taskID, len(f.Tasks))
	for i, t := range f.Tasks {
		ids[i] = taskID{t.DAG, t.Name}
	}
	return ids
}

// needs joins inferred and explicit dependencies, each once, sorted; those on unknown tasks are left out.
func (f facts) needs() map[taskID][]taskID {
	known := map[taskID]bool{}
	for _, id := range f.ids() {
		known[id] = true
	}
	needs := map[taskID][]taskID{}
	for _, t := range f.Tasks {
		var on []taskID
		for _, n := range t.Needs {
			on = append(on, taskID{n[0], n[1]})
		}
		for _, e := range t.External {
			on = append(on, taskID(e))
		}
		on = slices.DeleteFunc(on, func(id taskID) bool { return !known[id] })
		slices.SortFunc(on, func(a, b taskID) int {
			return cmp.Or(strings.Compare(a.dag, b.dag), strings.Compare(a.task, b.task))
		})
		needs[taskID{t.DAG, t.Name}] = slices.Compact(on)
	}
	return needs
}

// closing finds the needs that close a cycle when the graph is walked in the given order: without them it has none.
func closing(ids []taskID, needs map[taskID][]taskID) map[[2]taskID]bool {
	closed := map[[2]taskID]bool{}
	const walking, done = 1, 2
	state := map[taskID]int{}
	var walk func(taskID)
	walk = func(id taskID) {
		state[id] = walking
		for _, on := range needs[id] {
			switch state[on] {
			case walking:
				closed[[2]taskID{id, on}] = true
			case 0:
				walk(on)
			}
		}
		state[id] = done
	}
	for _, id := range ids {
		if state[id] == 0 {
			walk(id)
		}
	}
	return closed
}

// teams declares one person and one team for each owner.
func teams(dags []dag) []byte {
	var owners []string
	for _, d := range dags {
		owners = append(owners, d.Owner)
	}
	slices.Sort(owners)
	owners = slices.Compact(owners)

	var b bytes.Buffer
	b.WriteString("people:\n")
	for _, o := range owners {
		fmt.Fprintf(&b, "  %s: {name: %s, email: %s@example.com}\n", o, o, o)
	}
	b.WriteString("teams:\n")
	for _, o := range owners {
		fmt.Fprintf(&b, "  team-%s: {members: [%s]}\n", o, o)
	}
	return b.Bytes()
}

// write declares the flow down to the line `tasks:`.
func (d dag) write(b *bytes.Buffer, o Options) {
	fmt.Fprintf(b, "flow: %s\nteam: team-%s\nowner: %s\nlabels: {tier: \"%d\"}\npriority: %d\n", d.Name, d.Owner, d.Owner, d.Tier, 2*d.Tier)
	if every := schedule(d.Schedule); every != "" {
		fmt.Fprintf(b, "schedule:\n  %s\n", every)
		if d.Start != "" {
			fmt.Fprintf(b, "  start: %s\n", d.Start)
		}
		if d.End != "" {
			fmt.Fprintf(b, "  end: %s\n", d.End)
		}
	}
	if d.Retries > 0 && !o.NoOp {
		fmt.Fprintf(b, "defaults: {retry: %s}\n", d.retry(d.Retries))
	}
	b.WriteString("tasks:\n")
}

func (d dag) retry(limit int) string {
	if d.RetryDelay == 0 {
		return fmt.Sprintf("{limit: %d}", limit)
	}
	return fmt.Sprintf("{limit: %d, delay: %ds}", limit, d.RetryDelay)
}

// schedule says the same as the source's word, or nothing for what runs on demand.
func schedule(s string) string {
	switch s {
	case "", "once":
		return ""
	case "hourly", "1h":
		return "every: hour"
	case "3h":
		return `cron: "0 */3 * * *"`
	case "daily":
		return "every: day"
	case "weekly":
		return "every: week"
	case "monthly":
		return "every: month"
	}
	return fmt.Sprintf("cron: %q", s)
}

func (t dagTask) write(b *bytes.Buffer, d dag, o Options, needs []taskID, previous map[[2]taskID]bool) {
	fmt.Fprintf(b, "  %s:\n", t.Name)
	if o.NoOp {
		b.WriteString("    run: \"true\"\n")
	} else {
		fmt.Fprintf(b, "    run: echo %s %s ${{ period.label }}\n", cmp.Or(t.Kind, "check"), t.Table)
		if t.Retries != nil {
			fmt.Fprintf(b, "    retry: %s\n", d.retry(*t.Retries))
		}
	}
	onPast := d.OnPast
	if t.OnPast != nil {
		onPast = *t.OnPast
	}
	if len(needs) == 0 && !onPast {
		return
	}
	b.WriteString("    needs:\n")
	for _, on := range needs {
		switch {
		case previous[[2]taskID{{t.DAG, t.Name}, on}]:
			fmt.Fprintf(b, "      - {flow: %s, task: %s, periods: previous}\n", on.dag, on.task)
		case on.dag == t.DAG:
			fmt.Fprintf(b, "      - %s\n", on.task)
		default:
			fmt.Fprintf(b, "      - %s/%s\n", on.dag, on.task)
		}
	}
	if onPast {
		fmt.Fprintf(b, "      - {task: %s, periods: previous}\n", t.Name)
	}
}
