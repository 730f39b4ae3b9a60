package dsl_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"flowctl/dsl"
	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// compileAnyway compiles what may declare more than it uses.
func compileAnyway(t *testing.T, pairs ...string) *flow.Project {
	t.Helper()
	project, found := dsl.New().Compile(repository(pairs...))
	for _, d := range found {
		if !isUnused(d) {
			t.Errorf("%s:%d:%d: %s [%s]", d.File, d.Line, d.Col, d.Message, d.Rule)
		}
	}
	if project == nil {
		t.FailNow()
	}
	return project
}

func TestDefaultsOfOptions(t *testing.T) {
	t.Parallel()
	p := compileAnyway(t, "c.yaml", "pools: {p: {slots: 3}, q: {slots: 3}}",
		"flowctl.yaml", "version: 1\ndefaults: {pool: p, output_timeout: 1h, env: {A: a, B: b}, alerts: {email: [x@example.com]}}\n",
		"f.yaml", `
flow: f
team: data
defaults: {runner: python, with: {python: python3.12}}
alerts: {default: false}
tasks:
  a: {run: x}
  b: {run: x}
  c: {run: x, pool: {name: q, slots: 2}, env: {B: c}, alerts: {phone: ["+1"]}}
  d: {run: x, runner: shell}
`)
	f := p.Flow("f")
	a, b, c, d := f.Task("a"), f.Task("b"), f.Task("c"), f.Task("d")
	if a.Options != b.Options {
		t.Error("tasks that say the same do not share their options")
	}
	if a.OutputTimeout != time.Hour || *a.Pool != (flow.PoolUse{Name: "p", Slots: 1}) || a.Success != flow.SuccessExit || a.OnAgentLost != flow.OnLostWait {
		t.Errorf("a: %+v", a.Options)
	}
	if c.OutputTimeout != time.Hour || *c.Pool != (flow.PoolUse{Name: "q", Slots: 2}) {
		t.Errorf("c: %+v", c.Options)
	}
	if len(c.Alerts.Phone) != 1 || len(c.Alerts.Email) != 1 || c.Alerts.Default || !reflect.DeepEqual(a.Alerts, f.Alerts) {
		t.Errorf("alerts of c: %+v", c.Alerts)
	}
	var env []string
	for _, e := range c.Env {
		s, _ := e.Value.Const()
		env = append(env, e.Name+"="+s)
	}
	if !slices.Equal(env, []string{"A=a", "B=c"}) {
		t.Errorf("env of c: %q", env)
	}
	if a.Runner != "python" || a.With["python"] != "python3.12" || d.Runner != "shell" || d.With != nil {
		t.Errorf("a: %s %v, d: %s %v", a.Runner, a.With, d.Runner, d.With)
	}
}

// TestHashOfOptions tells what changes a task, and what only whom it concerns.
func TestHashOfOptions(t *testing.T) {
	t.Parallel()
	const catalog = `
pools: {p: {slots: 3}}
accounts: {etl: {user: etl, teams: [data]}}
connections: {c: {runner: ssh, teams: [data], with: {host: h, user: u}}}
signals: {s: {every: day, teams: [data]}}
channels: {mail: {plugin: email, with: {host: h, from: f}}}
`
	const text = "flow: f\nteam: data\ntasks:\n  a: {runner: ssh, connection: c, run: x, run_as: etl, pool: p, alerts: {email: [x@example.com]}}\n"
	of := func(text, catalog string) (task, project string) {
		p, found := dsl.New().Compile(repository("f.yaml", text, "c.yaml", catalog))
		if p == nil {
			t.Fatalf("%+v", found)
		}
		return p.Flow("f").Task("a").Hash, p.Hash
	}
	task, project := of(text, catalog)
	for name, c := range map[string]struct {
		from, to      string
		task, project bool // change
	}{
		"nothing":       {"", "", false, false},
		"alerts":        {"x@example.com", "y@example.com", false, true},
		"a pool's use":  {"pool: p", "pool: {name: p, slots: 2}", true, true},
		"formerly":      {"run: x", "run: x, formerly: [a/b]", false, true},
		"a gate":        {"run: x", "run: x, gate: {url: http://h/}", true, true},
		"a connection":  {"host: h, user", "host: i, user", true, true},
		"an account":    {"user: etl", "user: other", true, true},
		"a pool":        {"slots: 3", "slots: 4", false, true},
		"a channel":     {"host: h, from", "host: i, from", false, true},
		"a signal":      {"every: day", "every: hour", false, true},
		"another place": {"\ntasks", "\n\ntasks", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			task2, project2 := of(strings.Replace(text, c.from, c.to, 1), strings.Replace(catalog, c.from, c.to, 1))
			if (task != task2) != c.task || (project != project2) != c.project {
				t.Errorf("changed: task %v, project %v", task != task2, project != project2)
			}
		})
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	p := compile(t, "lib/t.yaml", `
templates:
  load:
    params:
      table: text
      n: {type: int, default: 2}
      dry: {type: bool, default: false}
    file: load.sh
    args: ["${{ template.table }}", "${{ upper(template.table) }}", "${{ template.n + 1 }}"]
    when: not template.dry
    retry: {limit: "${{ template.n }}"}
    needs: ["${{ template.table }}_in"]
    env: {T: "x-${{ template.table }}-${{ ds }}", U: u}
    timeout: 1h
`, "lib/load.sh", "true", "f.yaml", `
flow: f
team: data
defaults: {timeout: 3h, retry: {delay: 5m}}
params: {table: not this}
tasks:
  a_in: {run: x}
  b_in: {run: x}
  a: {uses: {template: load, params: {table: a}}, env: {U: mine}}
  b: {uses: {template: load, params: {table: b, n: 7, dry: true}}, timeout: 2h, matrix: {x: [1, 2]}}
  c: {uses: {template: load, params: {table: "it's"}}, run: echo, needs: [a]}
`)
	f := p.Flow("f")
	a, b, c := f.Task("a"), f.Task("b:2"), f.Task("c")
	if a.File != "lib/load.sh" || a.Timeout != time.Hour || a.Retry.Limit != 2 || a.Retry.Delay != 5*time.Minute || a.Needs[0].Task != "a_in" {
		t.Errorf("a: %+v", a)
	}
	var args, env []string
	for _, x := range a.Args {
		args = append(args, x.Value.Source())
	}
	for _, x := range a.Env {
		env = append(env, x.Name+"="+x.Value.Source())
	}
	if want := []string{"a", "${{ upper('a') }}", "${{ 2 + 1 }}"}; !slices.Equal(args, want) {
		t.Errorf("args %q, want %q", args, want)
	}
	if want := []string{"T=x-a-${{ ds }}", "U=mine"}; !slices.Equal(env, want) {
		t.Errorf("env %q, want %q", env, want)
	}
	if at := a.Env[0].Value.Parts[1].Pos; at.File != "lib/t.yaml" || at.Line != 13 || at.Col != 43 {
		t.Errorf("an expression behind a parameter is at %+v", at)
	}
	if b.Retry.Limit != 7 || b.Timeout != 2*time.Hour || b.When.Source() != "${{ not true }}" || b.Needs[0].Task != "b_in" {
		t.Errorf("b: %+v", b)
	}
	if c.File != "" || c.Run.Source() != "echo" || len(c.Needs) != 1 || c.Needs[0].Task != "a" || c.Args[1].Value.Source() != `${{ upper('it\'s') }}` {
		t.Errorf("c: %+v", c)
	}
}

func TestLineage(t *testing.T) {
	t.Parallel()
	p := compile(t, "f.yaml", `
flow: up
team: data
schedule: {every: day}
params: {root: /data}
tasks:
  w: {run: x, outputs: ["${{ params.root }}/a/${{ ds }}/", "/b/${{ date(period.start, '%Y%m%d') }}", /c], matrix: {x: [1, 2]}}
  m: {run: x, outputs: ["/m/${{ matrix.x }}"], matrix: {x: [1, 2]}}
---
flow: down
team: data
schedule: {every: day}
params: {dir: a}
tasks:
  r: {run: x, inputs: ["/data/${{ params.dir }}/${{ds}}/", "/nothing"]}
  s: {run: x, inputs: ["/b/${{ ds_nodash }}"]}
  c: {run: x, inputs: [/c]}
  n: {run: x, inputs: ["/b/${{ ds }}"]}
  m: {run: x, inputs: [/m/2]}
`)
	var got []string
	for _, e := range p.Data {
		got = append(got, e.To.Task+" reads "+e.From.Task)
	}
	want := []string{"c reads w:1", "c reads w:2", "m reads m:2", "r reads w:1", "r reads w:2", "s reads w:1", "s reads w:2"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if n := len(p.Readers(flow.TaskRef{Flow: "up", Task: "w:1"})); n != 3 {
		t.Errorf("w:1 has %d readers", n)
	}
	if n := len(p.Writers(flow.TaskRef{Flow: "down", Task: "r"})); n != 2 {
		t.Errorf("r has %d writers", n)
	}
}

// TestLineageIsLinear connects 10,000 flows, each an hour reading a day's path.
func TestLineageIsLinear(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles 10,000 flows")
	}
	var files []string
	for i := range 10_000 {
		every := []string{"hour", "day"}[i%2]
		files = append(files, fmt.Sprintf("f%d.yaml", i), fmt.Sprintf(
			"flow: f%d\nteam: data\nschedule: {every: %s}\ntasks: {t: {run: x, inputs: [\"/d/%d/${{ ds }}/\"], outputs: [\"/d/%d/${{ ds }}/\"]}}\n", i, every, i, i+1))
	}
	start := time.Now()
	p := compile(t, files...)
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	} else {
		t.Log(took)
	}
	if len(p.Data) != 9999 {
		t.Errorf("%d edges", len(p.Data))
	}
}

// TestRecompileOfTheWholeLanguage changes files of the whole language: a compiler that remembers must say the same as a new one.
func TestRecompileOfTheWholeLanguage(t *testing.T) {
	t.Parallel()
	files, err := dsl.ReadDir("../testdata/language")
	if err != nil {
		t.Fatal(err)
	}
	c := dsl.New()
	edits := [][2]string{
		{"slots: 20", "slots: 1"}, {"teams: [data]", "teams: [crm]"}, {"type: int, default: 7", "type: int, default: 8"},
		{"minimum: 1", "minimum: 5"}, {"host: hs2", "host: hs3"}, {"/ods/clicks/", "/ods/click/"}, {"smtp.example.com", "mail.example.com"},
		{"every: hour", "every: month"}, {"plugin: pager", "plugin: pagers"}, {"formerly: [warehouse.orders/import]", "formerly: [ods.clicks/import]"},
		{"handoff: \"08:30\"", "handoff: \"8:30\""}, {"alerts: {email: [crm@example.com]}", "alerts: {default: false, email: []}"},
	}
	for _, edit := range edits {
		changed := slices.Clone(files)
		for i := range changed {
			changed[i].Data = []byte(strings.Replace(string(changed[i].Data), edit[0], edit[1], 1))
		}
		for _, version := range [][]dsl.File{changed, files} {
			got, found := c.Compile(version)
			want, wantFound := dsl.New().Compile(version)
			if !reflect.DeepEqual(found, wantFound) {
				t.Errorf("%q: found\n%+v\nwant\n%+v", edit, found, wantFound)
			}
			if (got == nil) != (want == nil) || got != nil && (got.Hash != want.Hash || !reflect.DeepEqual(got.Data, want.Data)) {
				t.Errorf("%q: another project", edit)
			}
		}
		first, _ := dsl.New().Compile(files)
		second, found := dsl.New().Compile(changed)
		if second != nil && first.Hash == second.Hash && !slices.ContainsFunc(found, func(d diag.Diagnostic) bool { return d.Rule == "data-edge" }) && edit[0] != "type: int, default: 7" && edit[0] != "minimum: 1" {
			t.Errorf("%q changes nothing", edit)
		}
	}
}

// TestNeedsFollowRenames renames tasks: needs by the old names lead to the new ones, as long as no task has the old name.
func TestNeedsFollowRenames(t *testing.T) {
	t.Parallel()
	c := dsl.New()
	needs := func(claim string) []string {
		project, found := c.Compile(repository("a.yaml", "flow: a\nteam: data\ntasks: {"+claim+", other: {run: x}, t: {run: x, needs: [old]}}\n",
			"b.yaml", "flow: b\nteam: data\ntasks: {t: {run: x, needs: [a/old, gone/one]}, n: {run: x, formerly: [gone/one]}}\n"))
		if project == nil {
			t.Fatalf("%+v", found)
		}
		var out []string
		for _, f := range project.Flows {
			for _, n := range f.Task("t").Needs {
				out = append(out, f.Name+" needs "+n.Flow+"/"+n.Task)
			}
		}
		return out
	}
	for claim, want := range map[string]string{
		"new: {run: x, formerly: [a/old]}":                    "a needs a/new, b needs a/new, b needs b/n",
		"old: {run: x}":                                       "a needs a/old, b needs a/old, b needs b/n",
		"m: {run: x, formerly: [a/old], matrix: {x: [1, 2]}}": "a needs a/m:1, a needs a/m:2, b needs a/m:1, b needs a/m:2, b needs b/n",
	} {
		if got := strings.Join(needs(claim), ", "); got != want {
			t.Errorf("%s: got %s, want %s", claim, got, want)
		}
	}
}

// TestColonsInLists reads receivers the way they are written in flow mappings, where the YAML library sees keys.
func TestColonsInLists(t *testing.T) {
	t.Parallel()
	p := compileAnyway(t, "f.yaml", `
people: {bob: {email: bob@example.com}}
teams:
  ops: {members: [bob], oncall: {order: [bob]}, escalation: [{after: 1m, notify: [oncall:ops:secondary, team:ops, bob]}]}
`)
	got := p.Teams["ops"].Escalation[0].Notify
	if len(got) != 3 || got[0].Oncall != "ops" || !got[0].Secondary || got[1].Team != "ops" || got[2].Person != "bob" {
		t.Errorf("got %+v", got)
	}
	if got[0].Pos.Col != 83 {
		t.Errorf("place %+v", got[0].Pos)
	}
}
