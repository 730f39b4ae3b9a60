package control

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine/core"
)

const warehouse = `connections:
  hive: {runner: hive, teams: [data], with: {host: hs2}}
---
flow: shop
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  a: {runner: hive, connection: hive, run: SELECT 1;}
`

// TestASystemOutsideIsDown: from what an agent says of the server of a connection to the messages, once for each severity, also over a restart.
func TestASystemOutsideIsDown(t *testing.T) {
	t.Parallel()
	f := alertFixture(t)
	f.write("shop.yaml", warehouse)
	f.start()
	t.Cleanup(func() { f.end() })
	f.sync("active")
	f.join()
	f.fleet.paths = true
	look, stop := f.platform()
	t.Cleanup(func() { stop() })
	// pass lets minutes pass, in each of which the agent gives an answer.
	pass := func(minutes int, failure string) {
		t.Helper()
		for range minutes {
			look()
			f.must(f.loop.Query(t.Context(), func(*core.Machine) {}))
			asked := f.fleet.asked()
			if len(asked) != 1 || asked[0].Path != "tcp://hs2:10000" {
				t.Fatalf("asked %+v", asked)
			}
			asked[0].Exists, asked[0].Error = failure == "", failure
			_, err := f.loop.Do(t.Context(), core.Probed{Agent: "local", Paths: asked})
			f.must(err)
			f.pass(time.Minute)
		}
		look()
		f.fleet.asked() // not answered
		f.must(f.loop.Query(t.Context(), func(*core.Machine) {}))
	}
	again := func() { // the stream breaks, so that the question above is put again
		_, err := f.loop.Do(t.Context(), core.AgentLost{Agent: "local"})
		f.must(err)
		f.join()
	}
	pass(2, "")
	f.wantAlerts("it is up", flow.ConnectionDown)
	again()
	pass(5, "connection refused")
	f.wantAlerts("down for four minutes", flow.ConnectionDown)
	again()
	pass(3, "connection refused")
	f.wantAlerts("down for seven", flow.ConnectionDown, "major open connection down: hive")
	all := f.events("", flow.ConnectionDown)
	if len(all) != 1 || all[0].Detail != "hive (tcp://hs2:10000), asked from agent local, is not as it should be since 2026-11-19T12:02:00Z; "+
		"it fails: connection refused: see that it is up and can be reached from there" {
		t.Errorf("told %+v", all)
	}
	stop()
	f.end()
	f.start()
	f.join()
	look, stop = f.platform()
	f.fleet.asked()
	pass(8, "connection refused")
	f.wantAlerts("after a restart", flow.ConnectionDown, "major open connection down: hive")
	if n := len(f.events("", flow.ConnectionDown)); n != 1 {
		t.Errorf("%d events after a restart", n)
	}
	again()
	pass(10, "connection refused")
	f.wantAlerts("down for long", flow.ConnectionDown, "critical open connection down: hive")
	again()
	pass(1, "")
	f.wantAlerts("up again", flow.ConnectionDown, "critical closed connection down: hive")
	f.quiet()
	got := strings.Join(f.outbox.received(), "\n")
	for _, want := range []string{"ops: connection down: hive", "ops: connection down: hive recovered"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestOutside(t *testing.T) {
	t.Parallel()
	text := func(s string) *flow.Template {
		return &flow.Template{Parts: []flow.Part{{Lit: s}, {Expr: "ds"}}}
	}
	task := func(connection string, agents []string, paths ...string) *flow.Task {
		x := &flow.Task{Agents: agents, Options: &flow.Options{Connection: connection, Success: flow.SuccessOutputs}}
		for i, p := range paths {
			if i%2 == 0 {
				x.Inputs = append(x.Inputs, text(p))
			} else {
				x.Outputs = append(x.Outputs, text(p))
			}
		}
		return x
	}
	p := &flow.Project{
		Connections: map[string]*flow.Connection{"hive": {Name: "hive", Address: "hs2:10000"}, "own": {Name: "own"}, "idle": {Name: "idle", Address: "x:1"}},
		Flows: []*flow.Flow{{Tasks: []*flow.Task{
			task("hive", nil, "hdfs://nn/a/dt=", "hdfs://nn/b/dt=", "webhdfs://gate:9870/a/", "hdfs://", "s3://bucket/a/", "/data/", "hdfs:///a/"),
			task("hive", nil), task("own", []string{"edge"}), task("hive", []string{"edge"}), task("", nil, ""),
		}}},
	}
	p.Flows[0].Tasks = append(p.Flows[0].Tasks, &flow.Task{Outputs: []*flow.Template{text("hdfs://other/a")}, Options: &flow.Options{Success: flow.SuccessExit}})
	want := "[{hive tcp://hs2:10000 []} {hdfs://nn/ hdfs://nn/ []} {webhdfs://gate:9870/ webhdfs://gate:9870/ []} {hdfs:/// hdfs:/// []} {hive tcp://hs2:10000 [edge]}]"
	if got := fmt.Sprint(outside(p)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	p.Monitors.Connections = &flow.Outside{}
	if got := outside(p); got != nil {
		t.Errorf("nobody is to be told, and asked are %v", got)
	}
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	now := period.At(time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC))
	ago := func(d time.Duration) period.Instant { return now.Add(-d) }
	for _, c := range []struct {
		monitors flow.Monitors
		s        core.Soundness
		want     string
	}{
		{s: core.Soundness{At: now}, want: "[]"},
		{s: core.Soundness{At: ago(time.Hour)}, want: "[]"},
		{s: core.Soundness{At: ago(time.Hour), Asked: ago(10 * time.Second)}, want: "[]"},
		{s: core.Soundness{}, want: "[-]"}, // keeps what is open
		{s: core.Soundness{At: now, Since: ago(5 * time.Minute), Failure: "refused"}, want: "[-]"},
		{s: core.Soundness{At: now, Since: ago(6 * time.Minute), Failure: "refused"}, want: "[major: it fails: refused]"},
		{s: core.Soundness{At: ago(2 * time.Minute), Since: ago(6 * time.Minute), Failure: "refused"}, want: "[-]"}, // nobody has asked since
		{s: core.Soundness{At: now, Since: ago(16 * time.Minute), Took: 12 * time.Second}, want: "[critical: it takes 12s to answer, and may take 10s]"},
		{s: core.Soundness{At: ago(7 * time.Minute), Asked: ago(6 * time.Minute)}, want: "[major: the question of 2026-11-19T11:54:00Z is not answered]"},
		{monitors: flow.Monitors{Connections: &flow.Outside{Delay: flow.Delay{Critical: time.Minute}}},
			s: core.Soundness{At: now, Since: ago(2 * time.Minute), Failure: "refused"}, want: "[critical: it fails: refused]"},
	} {
		got := []string{}
		for _, w := range unavailable(&c.monitors, []core.Soundness{c.s}, now) {
			if w.event.Severity == "" {
				got = append(got, "-")
				continue
			}
			_, what, _ := strings.Cut(w.event.Detail, "; ")
			what, _, _ = strings.Cut(what, ": see that")
			got = append(got, fmt.Sprintf("%s: %s", w.event.Severity, what))
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%+v: %s, want %s", c.s, got, c.want)
		}
	}
}
