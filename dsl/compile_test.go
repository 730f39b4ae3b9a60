package dsl_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"flowctl/dsl"
	"flowctl/dsl/diag"
	"flowctl/dsl/dsltest"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

const people = "people: {alice: {name: Alice}}\nteams: {data: {members: [alice]}}\n"

// repository makes files of pairs of path and text, with flowctl.yaml and people where they are left out.
func repository(pairs ...string) []dsl.File {
	var files []dsl.File
	for i := 0; i < len(pairs); i += 2 {
		files = append(files, dsl.File{Path: pairs[i], Mode: 0o644, Data: []byte(pairs[i+1])})
	}
	if !slices.ContainsFunc(files, func(f dsl.File) bool { return f.Path == dsl.SettingsFile }) {
		files = append(files, dsl.File{Path: dsl.SettingsFile, Data: []byte("version: 1\n")})
	}
	return append(files, dsl.File{Path: "people.yaml", Data: []byte(people)})
}

func compile(t *testing.T, pairs ...string) *flow.Project {
	t.Helper()
	project, found := dsl.New().Compile(repository(pairs...))
	for _, d := range slices.DeleteFunc(found, isUnused) {
		t.Errorf("%s:%d:%d: %s [%s]", d.File, d.Line, d.Col, d.Message, d.Rule)
	}
	if project == nil {
		t.FailNow()
	}
	return project
}

func taskNames(f *flow.Flow) []string {
	var names []string
	for _, t := range f.Tasks {
		names = append(names, t.Name)
	}
	return names
}

func TestTasksComeAfterTheirNeeds(t *testing.T) {
	t.Parallel()
	f := compile(t, "f.yaml", `
flow: f
team: data
schedule: {every: day, start: 2024-01-01}
tasks:
  d: {run: x, needs: [c, b]}
  c: {run: x, needs: [a]}
  b: {run: x, needs: [a, {task: d, periods: previous}]}
  a: {run: x}
`).Flow("f")
	if got, want := taskNames(f), []string{"a", "c", "b", "d"}; !slices.Equal(got, want) {
		t.Fatalf("order %v, want %v", got, want)
	}
	for i, task := range f.Tasks {
		if task.Index != i || f.Task(task.Name) != task {
			t.Errorf("task %s has index %d at %d", task.Name, task.Index, i)
		}
	}
	if got := f.Task("a").Downstream; !slices.Equal(got, []int{1, 2}) {
		t.Errorf("a wakes %v", got)
	}
	b := f.Task("b").Needs
	if b[0].Local != 0 || b[1].Local != -1 || b[1].Rule != (period.Rule{Kind: period.Offset, N: 1}) {
		t.Errorf("needs of b: %+v", b)
	}
}

func TestNeedForms(t *testing.T) {
	t.Parallel()
	p := compile(t,
		"up.yaml", "flow: up\nteam: data\nschedule: {every: hour}\ntasks: {x: {run: a}, y: {run: b}}\n",
		"demand.yaml", "flow: demand\nteam: data\ntasks: {z: {run: a}}\n",
		"down.yaml", `
flow: down
team: data
schedule: {every: day}
tasks:
  t:
    run: x
    needs:
      - up/x
      - {flow: up, task: y, periods: latest}
      - {flow: up, periods: {last: 7}}
      - {task: up/y, periods: {offset: -2}}
      - demand/z
      - up/x
`)
	var got []string
	for _, n := range p.Flow("down").Tasks[0].Needs {
		got = append(got, fmt.Sprintf("%s/%s %d %d", n.Flow, n.Task, n.Rule.Kind, n.Rule.N))
	}
	want := []string{"up/x 0 0", "up/y 3 0", "up/x 2 7", "up/y 2 7", "up/y 1 2", "demand/z 3 0"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	f := compile(t, "f.yaml", `
flow: f
team: data
tasks:
  load: {run: x, matrix: {region: [eu, us], n: [1, 02]}}
  all: {run: x, needs: [load]}
  one: {run: x, needs: ["load:us:02"]}
  each: {run: x, matrix: {region: [eu, us]}, needs: ["load:${{ matrix.region }}:1"]}
`).Flow("f")
	if got, want := taskNames(f), []string{"load:eu:1", "load:eu:02", "load:us:1", "load:us:02", "all", "one", "each:eu", "each:us"}; !slices.Equal(got, want) {
		t.Errorf("tasks %v, want %v", got, want)
	}
	last := f.Task("load:us:02")
	if last.Base != "load" || !reflect.DeepEqual(last.Matrix, map[string]string{"region": "us", "n": "02"}) {
		t.Errorf("base %q, matrix %v", last.Base, last.Matrix)
	}
	if n := len(f.Task("all").Needs); n != 4 {
		t.Errorf("a need on a matrix has %d needs", n)
	}
	if n := f.Task("each:us").Needs; len(n) != 1 || n[0].Task != "load:us:1" {
		t.Errorf("a need by the matrix: %+v", n)
	}
	if n := f.Task("one").Needs; len(n) != 1 || n[0].Local != last.Index {
		t.Errorf("a need on one expansion: %+v", n)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	p := compile(t,
		"flowctl.yaml", "version: 1\ntimezone: Asia/Shanghai\ndefaults: {timeout: 2h, retry: {limit: 3, delay: 5m}}\n",
		"sub/f.yaml", `
flow: f
team: data
schedule: {every: day}
defaults: {retry: {limit: 1}}
params: {n: 0123, v: 1.10}
tasks:
  a: {run: "x ${{ quote(params.n) }} ${{ quote(params.v) }}"}
  b: {run: x, timeout: 1h30m, retry: {max_delay: 2d}}
  c: {run: x, retry: {delay: 6h}}
`)
	f := p.Flow("f")
	if c := f.Task("c"); c.Retry.Delay != 6*time.Hour || c.Retry.MaxDelay != 6*time.Hour {
		t.Errorf("a delay longer than the default of max_delay: %+v", c.Retry)
	}
	if f.Priority != 5 || !f.Enabled || f.ExpireAfter != 7*24*time.Hour || f.Group != "sub" || f.Folder != "sub" || f.Spec.Timezone != "Asia/Shanghai" {
		t.Errorf("flow %+v", f)
	}
	if f.Params[0].Default != "0123" || f.Params[1].Default != "1.10" {
		t.Errorf("params lose their spelling: %+v", f.Params)
	}
	a, b := f.Task("a"), f.Task("b")
	if a.Timeout != 2*time.Hour || a.Retry != (flow.Retry{Limit: 1, Delay: 5 * time.Minute, Backoff: 1, MaxDelay: time.Hour}) {
		t.Errorf("a: %v %+v", a.Timeout, a.Retry)
	}
	if b.Timeout != 90*time.Minute || b.Retry != (flow.Retry{Limit: 1, Delay: 5 * time.Minute, Backoff: 1, MaxDelay: 48 * time.Hour}) {
		t.Errorf("b: %v %+v", b.Timeout, b.Retry)
	}
	if a.Runner != "shell" || a.TriggerRule != flow.AllSuccess {
		t.Errorf("a: %q %q", a.Runner, a.TriggerRule)
	}
}

// TestHash tells which changes make a task another one.
func TestHash(t *testing.T) {
	t.Parallel()
	const text = "flow: f\nteam: data\ndescription: d\nowner: alice\ntasks:\n  a: {file: a.sh, retry: {limit: 1}}\n  b: {run: x, needs: [a]}\n"
	of := func(text, script string) (string, string, string) {
		p := compile(t, "s/f.yaml", text, "s/a.sh", script)
		f := p.Flow("f")
		return f.Task("a").Hash, f.Task("b").Hash, f.Hash
	}
	a, b, whole := of(text, "echo 1")
	for name, c := range map[string]struct {
		text, script  string
		a, b, flowSum bool // change
	}{
		"nothing":       {text, "echo 1", false, false, false},
		"a comment":     {"# c\n\n" + text, "echo 1", false, false, false},
		"a description": {strings.Replace(text, "description: d", "description: e", 1), "echo 1", false, false, false},
		"the order":     {"flow: f\nteam: data\ntasks:\n  b: {run: x, needs: [a]}\n  a: {retry: {limit: 1}, file: a.sh}\n", "echo 1", false, false, false},
		"a script":      {text, "echo 2", true, false, true},
		"a retry":       {strings.Replace(text, "limit: 1", "limit: 2", 1), "echo 1", true, false, true},
		"a command":     {strings.Replace(text, "run: x", "run: y", 1), "echo 1", false, true, true},
		"a priority":    {text + "priority: 1\n", "echo 1", false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			a2, b2, whole2 := of(c.text, c.script)
			if (a != a2) != c.a || (b != b2) != c.b || (whole != whole2) != c.flowSum {
				t.Errorf("changed: a %v, b %v, flow %v", a != a2, b != b2, whole != whole2)
			}
		})
	}
}

// TestRecompileEqualsCompile changes files at random: a compiler that remembers must say the same as a new one.
func TestRecompileEqualsCompile(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	files := dsltest.Repository(12, 4)
	files = append(files, dsl.File{Path: "flows/g01/s.sh", Data: []byte("1")})
	c := dsl.New()
	edits := []func(string) string{
		func(s string) string { return strings.Replace(s, "timeout: 10m", "timeout: 11m", 1) },
		func(s string) string { return strings.Replace(s, "timeout: 11m", "timeout: 10", 1) },
		func(s string) string { return strings.Replace(s, "timeout: 10\n", "timeout: 10m\n", 1) },
		func(s string) string { return strings.Replace(s, "  t0:", "  u0:", 1) },
		func(s string) string { return strings.Replace(s, "  u0:", "  t0:", 1) },
		func(s string) string { return strings.Replace(s, "flow: g", "flow: h", 1) },
		func(s string) string { return strings.Replace(s, "flow: h", "flow: g", 1) },
		func(s string) string { return strings.Replace(s, "alice", "alina", 1) },
		func(s string) string { return strings.Replace(s, "alina", "alice", 1) },
		func(s string) string { return strings.TrimSuffix(s, "[\n") + "[\n" },
		func(s string) string { return strings.TrimSuffix(s, "[\n") },
		func(s string) string { return strings.Replace(s, "limit: 3", "limit: 2", 1) },
	}
	original := slices.Clone(files)
	good := 0
	for range 300 {
		if r.IntN(3) == 0 {
			copy(files, original)
		}
		i := r.IntN(len(files))
		files[i].Data = []byte(edits[r.IntN(len(edits))](string(files[i].Data)))
		got, gotFound := c.Compile(files)
		want, wantFound := dsl.New().Compile(files)
		if !reflect.DeepEqual(gotFound, wantFound) {
			t.Fatalf("found\n%+v\nwant\n%+v", gotFound, wantFound)
		}
		if (got == nil) != (want == nil) || got != nil && got.Hash != want.Hash {
			t.Fatal("another project")
		}
		if got != nil {
			good++
		}
	}
	if good == 0 || good == 300 {
		t.Errorf("%d of 300 repositories compiled: the test shows nothing", good)
	}
}

func TestOldProjectsStayAsTheyWere(t *testing.T) {
	t.Parallel()
	files := dsltest.Repository(3, 3)
	c := dsl.New()
	first, _ := c.Compile(files)
	hash, old := first.Hash, first.Flow("g00.f0")
	files[2].Data = []byte(strings.Replace(string(files[2].Data), "timeout: 10m", "timeout: 20m", 1))
	second, _ := c.Compile(files)
	if second.Hash == hash || first.Hash != hash || first.Flow("g00.f0") != old || old.Task("t0").Timeout != 10*time.Minute {
		t.Error("the first project changed with the second")
	}
	if second.Flow("g00.f0").Task("t0").Timeout != 20*time.Minute {
		t.Error("the second project did not change")
	}
	if first.Flow("g01.f1") != second.Flow("g01.f1") {
		t.Error("a flow that did not change was built again")
	}
}

func TestIgnoredFilesAreNoDocuments(t *testing.T) {
	t.Parallel()
	compile(t, ".flowctlignore", "# notes\ndrafts/\n*.tmp.yaml\n/a/only.yaml\n",
		"drafts/x.yaml", "flow: [", "b/c.tmp.yaml", "flow: [", "a/only.yaml", "flow: [", ".github/ci.yaml", "on: push",
		"f.yaml", "flow: f\nteam: data\ntasks: {t: {run: x}}\n")
}

// FuzzCompile compiles anything: it must end, and every place must lie within its file.
func FuzzCompile(f *testing.F) {
	f.Add("flow: f\nteam: data\ntasks: {t: {run: x}}\n")
	f.Add(dsltest.Flow(3, 4))
	f.Add("a: &a [*a]\n")
	f.Add("\r\x00")
	f.Add("flow: f\nteam: data\ntasks: {t: {run: x}}\n---\ntest: t\nfrom: 2026-11-19\nto: 2026-11-20\ngiven: {past: missing}\nexpect: [{task: f/t, state: absent}]\n")
	f.Add("flow: f\nteam: data\ntasks: {l: {run: x, matrix: {a: [x, \"x:y\"], b: [z, \"y:z\"]}}, \"l:x:z\": {run: x}, m: {run: x, needs: [l]}}\n")
	f.Add("pools: {p: {slots: 3}}\naccounts: {etl: {teams: [data]}}\nsecrets: {s: {teams: [data]}}\nsignals: {s: {every: day, teams: [data]}}\n" +
		"connections: {c: {runner: ssh, teams: [data], with: {host: h, passphrase: \"${{ secret('s') }}\"}}}\n---\nflow: f\nteam: data\ntasks: {t: {runner: ssh, connection: c, run: x, pool: {name: p, slots: 9}, run_as: etl, signals: [s], resources: {memory: 2GiB}}}\n")
	f.Add("templates: {t: {params: {a: text, b: {type: int, default: 2}}, run: \"x ${{ template.a }} ${{ quote(template.b) }}\", when: template.b > 1}}\n---\nflow: f\nteam: data\ntasks: {t: {uses: {template: t, params: {a: \"y ${{ ds }}\"}}}}\n")
	f.Add("channels: {a: {plugin: email, with: {host: [{b: \"${{ secret('s') }}\"}]}}}\nteams: {x: {members: [], oncall: {handoff: \"Mon 09:00\", overrides: [{from: x}]}, escalation: [{after: 1m, notify: [oncall:x:secondary]}]}}\n")
	f.Add("flow: f\nteam: data\nschedule: {every: day}\nalerts: {rules: [{events: [failed], notify: [a@b, team:x]}]}\ntasks: {t: {run: x, inputs: [\"/${{ ds }}\"], outputs: [\"/${{ hour }}\"], formerly: [f/t]}, u: {run: x, outputs: [\"/${{ds}}\"]}}\n")
	f.Add("flow: f\ntasks:\n  a: {run: \"${{ ds\", matrix: {x: [1]}, needs: [{flow: f, periods: previous}]}\n---\nteams: {data: {members: [x]}}\n")
	f.Add("flow: f # flowctl:ignore dst\nteam: data\nschedule: {cron: \"0,30 2 * * *\", timezone: Europe/Berlin, end: 2027-01-01}\n# flowctl:ignore unused\nparams: {a: b}\n" +
		"tasks:\n  t: # flowctl:ignore\n    run: |\n      x\n    env: {TOKEN: x, A: ${{ ds }}} # flowctl:ignore secret-in-plain-text x\n    when: 1 > 2\n    retry: {delay: 2h, limit: 1}\n")
	f.Add("flow: f\nteam: data\nschedule: {once: 2026-10-25T02:30, timezone: Europe/Berlin}\ntasks: {t: {run: '${{ ''x'' + a }}', args: [\"--token=x\", '-----BEGIN PRIVATE KEY-----']}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 10_000 {
			return
		}
		files := repository("f.yaml", text, "flowctl.yaml", "version: 1\n")
		project, found := (&dsl.Compiler{Year: 2026}).Compile(files)
		if project == nil && !slices.ContainsFunc(found, func(d diag.Diagnostic) bool { return d.Severity == diag.Error }) {
			t.Error("no project and no error")
		}
		checkPlaces(t, files, found)
	})
}

// FuzzLock compiles any plugins.lock, with a task that uses its runner.
func FuzzLock(f *testing.F) {
	const head = "version: 1\nplugins: {spark: {kind: runner, version: 1, sha256: 0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0, schema: "
	f.Add(head + "{type: object, properties: {n: {type: integer, minimum: 1}}, required: [n]}}}\n")
	f.Add(head + "{$ref: \"#/$defs/a\", $defs: {a: {anyOf: [{$ref: \"#\"}, {not: {}}], patternProperties: {\"^(a|a)*$\": false}}}}}}\n")
	f.Add(head + "{properties: {l: {items: {enum: [1, x, ~]}, uniqueItems: true}}, additionalProperties: {format: date}}}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 10_000 {
			return
		}
		files := repository("plugins.lock", text, "f.yaml", "flow: f\nteam: data\ntasks: {t: {runner: spark, run: x, with: {n: 0, l: [1, 1, {a: \"${{ ds }}\"}], a: {b: c}}}}\n")
		_, found := dsl.New().Compile(files)
		checkPlaces(t, files, found)
	})
}
