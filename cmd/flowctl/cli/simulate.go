package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flowctl/dsl"
	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/engine"
	"flowctl/engine/simulate"
	"flowctl/engine/simulate/gantt"
)

// simulation is what the flags of simulate say.
type simulation struct {
	from, to, outcomes, learn, output string
	slots                             int
	seed                              uint64
}

func newSimulate(g *globals) *cobra.Command {
	var s simulation
	cmd := &cobra.Command{
		Use:   "simulate [PATH] --from TIME --to TIME",
		Short: "Show what the scheduler would do in a day or a month, without running anything",
		Long: `Runs the scheduler itself on a clock that jumps from event to event, and shows every run with what it waited for, how late it was, the
critical path of the longest ones, and how busy the agents were. Neither a server nor a process is started.

Times are dates or clock times in the repository's time zone; a date given to --to is included. Unless the file given to --outcomes
says otherwise, each attempt takes one minute and succeeds, every input exists, every signal is set, everything before --from has succeeded, and one agent with every
label executes it all. --learn takes durations from the attempts of a server instead. docs/simulation.md tells how to write outcomes.

Exit status: 0 when the simulation was made, whatever came of the runs; 1 when the repository or the outcomes have errors.`,
		Example: `  flowctl simulate --from 2026-11-19 --to 2026-11-19
  flowctl simulate flows --from 2026-11-01 --to 2026-11-30 --outcomes slow.yaml --slots 8
  flowctl simulate --from 2026-11-19 --to 2026-11-19 -o html > day.html`,
		Args: argsAs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return s.run(cmd.Context(), g, args) },
	}
	f := cmd.Flags()
	f.StringVar(&s.from, "from", "", "first instant")
	f.StringVar(&s.to, "to", "", "last date, or the instant at which to end")
	f.StringVar(&s.outcomes, "outcomes", "", "YAML file that says how long tasks take, what fails, what arrives when, and what operators do")
	f.StringVar(&s.learn, "learn", "", "JSON file of attempts, as flowctl get attempts -o json prints them, to take durations from")
	f.IntVar(&s.slots, "slots", 0, "slots of the one agent that there is when the outcomes declare none; 0 = as many as are wanted")
	f.Uint64Var(&s.seed, "seed", 0, "what is drawn at random follows from this number")
	f.StringVarP(&s.output, "output", "o", "text", "form of the result: text, json, html or svg")
	return cmd
}

func (s *simulation) run(ctx context.Context, g *globals, args []string) error {
	switch {
	case !slices.Contains([]string{"text", "json", "html", "svg"}, s.output):
		return usagef("-o %s: the forms are text, json, html and svg", s.output)
	case s.from == "" || s.to == "":
		return usagef("--from and --to say what to simulate: --from 2026-11-19 --to 2026-11-19 is one day")
	case s.slots < 0:
		return usagef("--slots %d: a number of slots, or 0 for as many as are wanted", s.slots)
	}
	repo, err := compileRoot(g.streams, pathOf(args))
	if err != nil {
		return err
	}
	in, zone, err := s.input(g, repo.project)
	if err != nil {
		return err
	}
	r, err := simulate.Play(ctx, *in)
	if err != nil {
		return err
	}
	if err := s.write(g, r, zone); err != nil {
		return &exitError{exitUnavailable, fmt.Errorf("write the result: %w", err)}
	}
	return nil
}

// input reads what the flags name.
func (s *simulation) input(g *globals, p *flow.Project) (*simulate.Input, *time.Location, error) {
	zone, err := time.LoadLocation(p.Timezone)
	if err != nil {
		return nil, nil, &exitError{exitUnavailable, err}
	}
	in := &simulate.Input{Project: p, Slots: s.slots, Seed: s.seed}
	if in.From, err = dsl.ParseInstant(s.from, zone, false); err != nil {
		return nil, nil, usagef("--from: %w", err)
	}
	if in.To, err = dsl.ParseInstant(s.to, zone, true); err != nil {
		return nil, nil, usagef("--to: %w", err)
	}
	if in.To <= in.From {
		return nil, nil, usagef("--to %s is not after --from %s", s.to, s.from)
	}
	if s.outcomes != "" {
		if in.Outcomes, err = readOutcomes(g.out, s.outcomes, p); err != nil {
			return nil, nil, err
		}
	}
	if s.learn != "" {
		if in.Learnt, err = readAttempts(s.learn); err != nil {
			return nil, nil, err
		}
	}
	return in, zone, nil
}

// readOutcomes reads an outcomes file. What is wrong with it is written to out.
func readOutcomes(out io.Writer, file string, p *flow.Project) (*flow.Outcomes, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("--outcomes: %w", err)
	}
	outcomes, found := dsl.Outcomes(file, data, p)
	if outcomes != nil {
		return outcomes, nil
	}
	if err := diag.WriteText(out, found, diag.TextOptions{Color: isTerminal(out)}); err != nil {
		return nil, &exitError{exitUnavailable, err}
	}
	return nil, &exitError{code: exitProblems}
}

func readAttempts(file string) (map[string]time.Duration, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("--learn: %w", err)
	}
	var list engine.List[engine.AttemptView]
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, usagef("--learn %s: %w; write it with flowctl get attempts -o json", file, err)
	}
	return simulate.Learn(list.Items), nil
}

func (s *simulation) write(g *globals, r *simulate.Result, zone *time.Location) error {
	var text []byte
	switch s.output {
	case "json":
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			return err
		}
		text = b.Bytes()
	case "svg":
		text = gantt.SVG(r, zone)
	case "html":
		text = gantt.HTML(r, zone)
	default:
		v := &view{zone: zone, now: r.To, width: g.width, color: g.color}
		simulationView(v, r)
		text = []byte(v.String())
	}
	_, err := g.out.Write(text)
	return err
}

// How many rows of each table a person wants to see; -o json has all.
const (
	mostFlows    = 40
	mostRuns     = 10
	mostFailures = 10
	mostLinks    = 20
	mostIdlers   = 10
	mostAssumed  = 8
	mostLate     = 10
)

func simulationView(v *view, r *simulate.Result) {
	t := r.Totals
	v.line("%s to %s %s: %s of %s, in %s", v.at(r.From), v.at(r.To), v.zone, count(t.Runs, "run"), count(len(r.Flows), "flow"), count(t.Attempts, "attempt"))
	v.line("%d succeeded, %d failed, %d unfinished; tasks ran for %s and waited for slots for %s",
		t.Succeeded, t.Failed, t.Unfinished, seconds(t.BusyS), seconds(t.QueuedS))
	for _, x := range r.Refusals {
		v.line("refused at %s: %s: %s", v.at(x.At), x.Action, x.Message)
	}
	if len(r.Assumed) > 0 {
		v.line("assumed to be 0, as the outcomes do not give them: %s", strings.Join(r.Assumed[:min(len(r.Assumed), mostAssumed)], ", "))
		more(v, len(r.Assumed), mostAssumed, "output")
	}
	if len(r.Idle) > 0 {
		v.line("no task waited for these paths of the outcomes: %s", strings.Join(r.Idle, ", "))
	}
	if len(r.IdleSignals) > 0 {
		v.line("no task waited for these signals of the outcomes: %s", strings.Join(r.IdleSignals, ", "))
	}
	flowTable(v, r)
	timeline(v, r)
	useTable(v, "AGENT", r.Agents)
	useTable(v, "POOL", r.Pools)
	lateTable(v, r)
	failureTable(v, r)
	longestRuns(v, r)
	idlers(v, r)
}

func failureTable(v *view, r *simulate.Result) {
	if len(r.Failures) == 0 {
		return
	}
	var rows [][]string
	for _, f := range r.Failures[:min(len(r.Failures), mostFailures)] {
		rows = append(rows, []string{f.Task, fmt.Sprint(f.TaskRuns), f.Reason})
	}
	v.line("")
	v.table([]string{"FAILED", "TASK RUNS", "REASON"}, rows)
	more(v, len(r.Failures), mostFailures, "task")
}

func flowTable(v *view, r *simulate.Result) {
	if len(r.Flows) == 0 {
		return
	}
	flows := busiest(r)
	var rows [][]string
	for _, f := range flows[:min(len(flows), mostFlows)] {
		rows = append(rows, []string{
			f.Flow, fmt.Sprint(f.Runs), fmt.Sprint(f.Failed), fmt.Sprint(f.Unfinished), seconds(f.LateMedianS), seconds(f.LateMaxS),
			seconds(f.BusyS), seconds(f.QueuedS),
		})
	}
	v.line("")
	v.table([]string{"FLOW", "RUNS", "FAILED", "UNFINISHED", "USUALLY ENDS", "AT WORST", "BUSY", "QUEUED"}, rows)
	more(v, len(flows), mostFlows, "flow")
	v.line("A run ends that long after the instant it is due at.")
}

func more(v *view, all, shown int, word string) {
	if all > shown {
		v.line("and %s more; -o json has them all", count(all-shown, word))
	}
}

// useTable shows how busy agents or pools were, and who waited for them.
func useTable(v *view, what string, uses []simulate.Use) {
	if len(uses) == 0 {
		return
	}
	var rows [][]string
	for _, u := range uses {
		slots := "unlimited"
		if u.Slots > 0 {
			slots = fmt.Sprint(u.Slots)
		}
		rows = append(rows, []string{
			u.Name, slots, fmt.Sprint(u.Peak), fmt.Sprintf("%.1f", u.Mean), seconds(u.FullS), fmt.Sprintf("%.0f%%", 100*u.Full), seconds(u.WaitedS),
		})
	}
	v.line("")
	v.table([]string{what, "SLOTS", "MOST IN USE", "ON AVERAGE", "FULL FOR", "OF THE TIME", "WAITED FOR IT"}, rows)
}

// lateTable shows the task runs that were late by what their timeouts say.
func lateTable(v *view, r *simulate.Result) {
	var rows [][]string
	found := 0
	for _, e := range r.Events {
		if e.Kind != flow.DependencyLate && e.Kind != flow.OutputLate {
			continue
		}
		if found++; found <= mostLate {
			rows = append(rows, []string{v.at(e.At), e.Subject, string(e.Kind)})
		}
	}
	if found == 0 {
		return
	}
	v.line("")
	v.table([]string{"LATE AT", "TASK RUN", "WITH"}, rows)
	more(v, found, mostLate, "task run")
}

// timeline shows when each flow was busy: the more of its attempts ran at once, the higher.
func timeline(v *view, r *simulate.Result) {
	const columns = 48
	levels := []rune("▁▂▃▄▅▆▇█")
	busy := map[string][]float64{}
	width := r.To.Sub(r.From) / columns
	for i := range r.Runs {
		run := &r.Runs[i]
		if busy[run.Flow] == nil {
			busy[run.Flow] = make([]float64, columns)
		}
		for k := range run.Tasks {
			for _, a := range run.Tasks[k].Attempts {
				end := r.To
				if a.FinishedAt != nil {
					end = *a.FinishedAt
				}
				for c := int(a.AssignedAt.Sub(r.From) / width); c < columns; c++ {
					from := r.From.Add(time.Duration(c) * width)
					if !from.Before(end) {
						break
					}
					busy[run.Flow][c] += overlap(a.AssignedAt, end, from, from.Add(width)).Seconds()
				}
			}
		}
	}
	if len(r.Flows) == 0 || width == 0 {
		return
	}
	var rows [][]string
	for _, f := range busiest(r)[:min(len(r.Flows), mostFlows)] {
		most := slices.Max(busy[f.Flow])
		var line strings.Builder
		for _, b := range busy[f.Flow] {
			if b == 0 {
				line.WriteByte('.')
				continue
			}
			line.WriteRune(levels[min(len(levels)-1, int(b/most*float64(len(levels))))])
		}
		rows = append(rows, []string{f.Flow, line.String()})
	}
	v.line("")
	v.table([]string{"FLOW", "TIMELINE"}, rows)
	v.line("A step of it is %s; the higher, the more attempts of the flow ran.", duration(width))
}

// overlap is how much two spans of time have in common.
func overlap(a, b, from, to time.Time) time.Duration {
	if a.Before(from) {
		a = from
	}
	if b.After(to) {
		b = to
	}
	return max(0, b.Sub(a))
}

// busiest returns the flows, those that keep agents busy and queues long first.
func busiest(r *simulate.Result) []simulate.FlowSum {
	flows := slices.Clone(r.Flows)
	slices.SortStableFunc(flows, func(a, b simulate.FlowSum) int { return cmp.Compare(b.BusyS+b.QueuedS, a.BusyS+a.QueuedS) })
	return flows
}

// longestRuns shows the runs that ended latest after they were due, and the critical path of the first of them.
func longestRuns(v *view, r *simulate.Result) {
	var runs []*simulate.Run
	for i := range r.Runs {
		if r.Runs[i].FinishedAt != nil && len(r.Runs[i].CriticalPath) > 0 {
			runs = append(runs, &r.Runs[i])
		}
	}
	if len(runs) == 0 {
		return
	}
	slices.SortStableFunc(runs, func(a, b *simulate.Run) int { return cmp.Compare(b.LateS, a.LateS) })
	var rows [][]string
	for _, run := range runs[:min(len(runs), mostRuns)] {
		rows = append(rows, []string{run.Name, string(run.State), v.at(run.DueAt), seconds(run.DelayS), seconds(run.LateS)})
	}
	v.line("")
	v.table([]string{"LONGEST RUNS", "STATE", "DUE", "STARTED AFTER", "ENDED AFTER"}, rows)

	rows = nil
	path := runs[0].CriticalPath
	for _, l := range path[max(0, len(path)-mostLinks):] {
		rows = append(rows, []string{l.Name, released(l), v.at(l.StartedAt), duration(l.FinishedAt.Sub(l.StartedAt))})
	}
	v.line("")
	v.line("The critical path of %s:", runs[0].Name)
	v.table([]string{"TASK RUN", "WAITED FOR", "STARTED", "TOOK"}, rows)
	more(v, len(path), mostLinks, "earlier link")
}

// released says what a link of a critical path waited for.
func released(l simulate.Link) string {
	text := string(l.By.Kind)
	switch l.By.Kind {
	case simulate.BySchedule:
		text = "its schedule"
	case simulate.ByTime:
		text = "its time"
	case simulate.ByEnd:
		text = l.By.Ref
	case simulate.ByPath:
		text = "input " + l.By.Ref
	case simulate.ByGate:
		text = "gate " + l.By.Ref
	case simulate.ByAgent:
		text = "agent " + l.By.Ref
	case simulate.BySignal:
		text = "signal " + l.By.Ref
	case simulate.ByRequest:
		text = "an operator"
	}
	if l.Slot {
		text = "a slot, until " + text
	}
	return text
}

// idlers shows what has not ended, and why.
func idlers(v *view, r *simulate.Result) {
	var rows [][]string
	found := 0
	for i := range r.Runs {
		for _, t := range r.Runs[i].Tasks {
			if t.State.Final() {
				continue
			}
			if found++; found > mostIdlers {
				continue
			}
			var why []string
			for _, b := range t.Blockers {
				why = append(why, b.Message)
			}
			rows = append(rows, []string{t.Name, string(t.State), strings.Join(why, "; ")})
		}
	}
	if found == 0 {
		return
	}
	v.line("")
	v.table([]string{"NOT ENDED", "STATE", "BECAUSE"}, rows)
	more(v, found, mostIdlers, "task run")
}
