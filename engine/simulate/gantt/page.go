package gantt

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine/simulate"
)

const pageText = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Simulation, {{.Title}}</title>
<style>
:root { --ground: #fff; --text: #1f2328; --dim: #656d76; --line: #d8dee4; --head: #f6f8fa }
@media (prefers-color-scheme: dark) { :root { --ground: #0d1117; --text: #e6edf3; --dim: #8d96a0; --line: #30363d; --head: #161b22 } }
body { margin: 1.5rem auto; max-width: 1344px; padding: 0 1rem; font: 14px/1.45 system-ui, sans-serif; color: var(--text); background: var(--ground) }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem } p { color: var(--dim) }
.chart { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px }
.tables { overflow-x: auto }
table { border-collapse: collapse; min-width: 40rem }
th, td { padding: .25rem .75rem; text-align: left; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; white-space: nowrap }
th { background: var(--head); font-weight: 600 } td.n, th.n { text-align: right }
</style>
</head>
<body>
<h1>Simulation, {{.Title}}</h1>
<p>{{.Totals.Runs}} runs: {{.Totals.Succeeded}} succeeded, {{.Totals.Failed}} failed, {{.Totals.Unfinished}} unfinished. {{.Totals.Attempts}} attempts ran for
{{span .Totals.BusyS}} in all, and waited {{span .Totals.QueuedS}} for slots.</p>
{{range .Refusals}}<p>Refused at {{clock .At}}: {{.Action}}: {{.Message}}</p>
{{end}}<div class="chart">
{{.Chart}}</div>
{{with .Longest}}<h2>The runs that ended latest</h2>
<div class="tables"><table>
<tr><th>Run</th><th>State</th><th>Due</th><th class="n">Started after</th><th class="n">Ended after</th></tr>
{{range .}}<tr><td>{{.Name}}</td><td>{{.State}}</td><td>{{clock .DueAt}}</td><td class="n">{{span .DelayS}}</td><td class="n">{{span .LateS}}</td></tr>
{{end}}</table></div>
{{end}}<h2>Agents and pools</h2>
<div class="tables"><table>
<tr><th>Name</th><th class="n">Slots</th><th class="n">Most in use</th><th class="n">On average</th><th class="n">Full for</th><th class="n">Of the time</th><th class="n">Waited for it</th></tr>
{{range .Uses}}<tr><td>{{.Name}}</td><td class="n">{{if .Slots}}{{.Slots}}{{else}}unlimited{{end}}</td><td class="n">{{.Peak}}</td><td class="n">{{printf "%.1f" .Mean}}</td><td class="n">{{span .FullS}}</td><td class="n">{{share .Full}}</td><td class="n">{{span .WaitedS}}</td></tr>
{{end}}</table></div>
{{with .Late}}<h2>What was late</h2>
<div class="tables"><table>
<tr><th>At</th><th>Task run</th><th>With</th></tr>
{{range .}}<tr><td>{{clock .At}}</td><td>{{.Subject}}</td><td>{{.Kind}}</td></tr>
{{end}}</table></div>
{{end}}{{with .Failures}}<h2>What failed</h2>
<div class="tables"><table>
<tr><th>Task</th><th class="n">Task runs</th><th>Reason</th></tr>
{{range .}}<tr><td>{{.Task}}</td><td class="n">{{.TaskRuns}}</td><td>{{.Reason}}</td></tr>
{{end}}</table></div>
{{end}}{{with .Critical}}<h2>The critical path of {{.Name}}</h2>
<div class="tables"><table>
<tr><th>Task run</th><th>Waited for</th><th>Started</th><th class="n">Took</th></tr>
{{range .CriticalPath}}<tr><td>{{.Name}}</td><td>{{if .Slot}}a slot, until {{end}}{{cause .By}}</td><td>{{clock .StartedAt}}</td><td class="n">{{took .}}</td></tr>
{{end}}</table></div>
{{end}}<h2>Flows</h2>
<div class="tables"><table>
<tr><th>Flow</th><th class="n">Runs</th><th class="n">Failed</th><th class="n">Unfinished</th><th class="n">Usually ends after</th><th class="n">At worst</th><th class="n">Busy</th><th class="n">Queued</th></tr>
{{range .Flows}}<tr><td>{{.Flow}}</td><td class="n">{{.Runs}}</td><td class="n">{{.Failed}}</td><td class="n">{{.Unfinished}}</td><td class="n">{{span .LateMedianS}}</td><td class="n">{{span .LateMaxS}}</td><td class="n">{{span .BusyS}}</td><td class="n">{{span .QueuedS}}</td></tr>
{{end}}</table></div>
</body>
</html>
`

// How many of the latest runs, and of what was late by its timeouts, the page lists.
const (
	mostRuns = 20
	mostLate = 100
)

// page is what the template shows.
type page struct {
	*simulate.Result
	Title    string
	Chart    template.HTML
	Longest  []simulate.Run
	Critical *simulate.Run
	Uses     []simulate.Use
	Late     []simulate.Event
}

// span writes seconds as a duration.
func span(s float64) string { return (time.Duration(s) * time.Second).String() }

// HTML makes a page of a result; times are shown in the zone.
func HTML(r *simulate.Result, zone *time.Location) []byte {
	clock := func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04:05") }
	t := template.Must(template.New("page").Funcs(template.FuncMap{
		"clock": clock, "span": span, "cause": causeText,
		"share": func(part float64) string { return fmt.Sprintf("%.0f%%", 100*part) },
		"took":  func(l simulate.Link) string { return l.FinishedAt.Sub(l.StartedAt).Round(time.Second).String() },
	}).Parse(pageText))
	p := page{
		Result: r, Title: fmt.Sprintf("%s to %s %s", clock(r.From), clock(r.To), zone),
		Chart: template.HTML(SVG(r, zone)), // it escapes what it shows
		Uses:  uses(r),
	}
	for _, e := range r.Events {
		if (e.Kind == flow.DependencyLate || e.Kind == flow.OutputLate) && len(p.Late) < mostLate {
			p.Late = append(p.Late, e)
		}
	}
	for i := range r.Runs {
		if run := &r.Runs[i]; run.FinishedAt != nil && len(run.CriticalPath) > 0 {
			p.Longest = append(p.Longest, *run)
		}
	}
	slices.SortStableFunc(p.Longest, func(a, b simulate.Run) int { return cmp.Compare(b.LateS, a.LateS) })
	p.Longest = p.Longest[:min(len(p.Longest), mostRuns)]
	if len(p.Longest) > 0 {
		p.Critical = &p.Longest[0]
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		panic("gantt: the page's template and data do not fit: " + err.Error())
	}
	return b.Bytes()
}
