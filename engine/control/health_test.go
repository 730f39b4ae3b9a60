package control

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/core"
)

// platform starts the monitors of the installation on the fixture's loop. A call of look returns when they have looked once.
func (f *fixture) platform() (look, stop func()) {
	rounds, ended := make(chan time.Time), make(chan struct{})
	ctx, cancel := context.WithCancel(f.t.Context())
	go func() {
		defer close(ended)
		Platform(ctx, f.loop, func() error { return nil }, rounds)
	}()
	return func() {
			for range 2 { // the second one is taken when the first is over
				rounds <- time.Time{}
			}
		}, func() {
			cancel()
			<-ended
		}
}

// wantAlerts compares the alerts about an event, the newest first, as SEVERITY STATE SUBJECT.
func (f *fixture) wantAlerts(when string, kind flow.Event, want ...string) {
	f.t.Helper()
	list, err := f.service.Alerts(f.t.Context(), engine.AlertsQuery{})
	f.must(err)
	got := []string{}
	for _, a := range list.Items {
		if a.Event == kind {
			got = append(got, fmt.Sprintf("%s %s %s", a.Severity, a.State, a.Subject))
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(append([]string{}, want...)) {
		f.t.Errorf("%s: alerts %q, want %q", when, got, want)
	}
}

const gib = 1 << 30

// TestAHostRunsOut: from what an agent's beat says to the message, once for each that runs out and each severity, also over a restart.
func TestAHostRunsOut(t *testing.T) {
	t.Parallel()
	f := alertFixture(t)
	f.start()
	t.Cleanup(func() { f.end() })
	f.sync("active")
	f.join()
	f.must(f.store.PutAgent(t.Context(), &engine.Agent{Name: "local", LastSeen: f.clock(), Host: engine.Host{Name: "box", CPU: 4000, Memory: 64 * gib}}))
	beat := func(cpu, memory, disk int64) {
		_, err := f.loop.Do(t.Context(), core.AgentBeat{Agent: "local", Beat: engine.Beat{CPU: cpu, MemoryFree: memory * gib, Disk: 1000 * gib, DiskFree: disk * gib}})
		f.must(err)
	}
	told := func() (details []string) {
		for _, e := range f.events("", flow.HostExhausted) {
			details = append(details, e.Detail)
		}
		return details
	}
	look, stop := f.platform()
	beat(4000, 32, 500)
	look()
	f.pass(20 * time.Minute)
	look()
	if got := told(); len(got) != 0 {
		t.Errorf("twenty busy minutes: %q", got)
	}
	beat(4000, 32, 40)
	look()
	f.wantAlerts("a full disk where nothing runs", flow.HostExhausted, "major open host exhausted on local")
	if got := told(); len(got) != 1 || got[0] != "96 % of the disk of box are in use, 40.0 GiB are left; 0 attempts run there: see flowctl describe agent local, or drain it" {
		t.Errorf("told %q", got)
	}
	_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-12"})
	f.must(err)
	f.executed()
	look()
	look()
	f.wantAlerts("a full disk where a task runs", flow.HostExhausted, "critical open host exhausted on local")
	if n := len(told()); n != 2 {
		t.Errorf("%d events for two severities", n)
	}
	beat(4000, 1, 40)
	look()
	f.pass(2 * time.Minute)
	look()
	if got := told(); len(got) != 3 || !strings.Contains(got[0], "98 % of the memory of box are in use, 1.0 GiB are left; 1 attempts run there") {
		t.Errorf("after the memory: %q", got)
	}
	stop()
	f.end()
	f.start()
	f.join()
	beat(4000, 32, 40)
	look, stop = f.platform()
	t.Cleanup(func() { stop() })
	look()
	if n := len(told()); n != 3 {
		t.Errorf("%d events after a restart", n)
	}
	beat(100, 32, 500)
	look()
	f.wantAlerts("when all is well", flow.HostExhausted, "critical closed host exhausted on local")
	f.quiet()
	if got := strings.Join(f.outbox.received(), "\n"); strings.Count(got, "ops: host exhausted on local") == 0 {
		t.Errorf("received\n%s", got)
	}
}

// waitingFixture has a run that waits for the input /data/orders, and the monitors of the installation.
func waitingFixture(t *testing.T) (f *fixture, look func()) {
	f = alertFixture(t)
	f.write("shop.yaml", strings.Replace(shop, "a: {run: 'true'}", "a: {run: 'true', inputs: [/data/orders]}", 1))
	f.start()
	t.Cleanup(f.end)
	f.sync("active")
	f.join()
	look, stop := f.platform()
	t.Cleanup(stop)
	_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-12"})
	f.must(err)
	return f, look
}

// TestCheckWithoutAnswer: an agent that was asked about a path, or was given an attempt, and says nothing.
func TestCheckWithoutAnswer(t *testing.T) {
	t.Parallel()
	f, look := waitingFixture(t)
	f.pass(4 * time.Minute)
	look()
	f.wantAlerts("after four minutes", flow.SlowChecks)
	f.pass(2 * time.Minute)
	look()
	f.wantAlerts("after six", flow.SlowChecks, "major open slow checks on local")
	f.pass(5 * time.Minute)
	look()
	look()
	f.wantAlerts("after eleven", flow.SlowChecks, "critical open slow checks on local")
	if all := f.events("", flow.SlowChecks); len(all) != 2 || !strings.HasPrefix(all[0].Detail, "the check of /data/orders was asked for at 2026-11-19T12:00:") {
		t.Errorf("events %+v", all)
	}
	_, err := f.loop.Do(t.Context(), core.Probed{Agent: "local", Paths: []engine.PathState{{Path: "/data/orders", Exists: true}}})
	f.must(err)
	look()
	f.wantAlerts("answered", flow.SlowChecks, "critical closed slow checks on local")
	f.pass(6 * time.Minute)
	look()
	f.wantAlerts("given and not begun", flow.SlowChecks, "major open slow checks on local", "critical closed slow checks on local")
	if all := f.events("", flow.SlowChecks); !strings.HasPrefix(all[0].Detail, "the start of shop/a@2026-11-12 was asked for at ") {
		t.Errorf("events %+v", all)
	}
}

// TestAFailingCheckKeepsItsAlert: the event is the scheduler's, and the monitor ends it when checks work again.
func TestAFailingCheckKeepsItsAlert(t *testing.T) {
	t.Parallel()
	f, look := waitingFixture(t)
	answer := func(failure string) {
		_, err := f.loop.Do(t.Context(), core.Probed{Agent: "local", Paths: []engine.PathState{{Path: "/data/orders", Error: failure}}})
		f.must(err)
		f.pass(31 * time.Second)
		look()
	}
	for range 5 {
		answer("name node in safe mode")
	}
	f.wantAlerts("it fails", flow.SlowChecks, "major open slow checks on local")
	f.quiet()
	answer("")
	f.wantAlerts("it is only absent", flow.SlowChecks, "major closed slow checks on local")
	f.quiet()
	if got := fmt.Sprint(f.outbox.received()); got != "[ops: slow checks on local ops: slow checks on local recovered]" {
		t.Errorf("received %s", got)
	}
}

func TestTooFewServers(t *testing.T) {
	t.Parallel()
	f := alertFixture(t)
	f.write("flowctl.yaml", flowsRoot+"admins: [ops]\nmonitors: {servers: {major: 3, critical: 2}}\n")
	f.start()
	t.Cleanup(f.end)
	f.sync("active")
	look, stop := f.platform()
	t.Cleanup(stop)
	look()
	f.pass(2 * time.Minute)
	look()
	f.quiet()
	f.wantAlerts("one server", flow.TooFewServers, "critical open too few servers")
	f.write("flowctl.yaml", flowsRoot+"admins: [ops]\nmonitors: {servers: {major: 1}}\n")
	f.sync("active")
	look()
	f.wantAlerts("one is enough", flow.TooFewServers, "critical closed too few servers")
	f.quiet()
	if got := fmt.Sprint(f.outbox.received()); got != "[ops: too few servers ops: too few servers recovered]" {
		t.Errorf("received %s", got)
	}
}

func TestSlowGeneration(t *testing.T) {
	t.Parallel()
	now := period.At(time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC))
	shop := &flow.Flow{Name: "shop"}
	for _, c := range []struct {
		monitors flow.Monitors
		flow     *flow.Flow
		late     time.Duration // the run
		answer   time.Duration // of the scheduler
		want     string
	}{
		{want: "[]"},
		{flow: shop, late: 10 * time.Minute, answer: 10 * time.Minute, want: "[]"},
		{flow: shop, late: 11 * time.Minute, want: "[major the run of shop that was due at 2026-11-19T11:49:00Z is not made yet: look at the server's log]"},
		{flow: shop, late: 16 * time.Minute, answer: 12 * time.Minute, want: "[critical the run of shop that was due at 2026-11-19T11:44:00Z is not made yet: look at the server's log]"},
		{answer: 12 * time.Minute, want: "[major the scheduler did not answer for 12m0s: look at its disk and its log]"},
		{monitors: flow.Monitors{Generation: &flow.Delay{Critical: time.Minute}}, flow: shop, late: 2 * time.Minute,
			want: "[critical the run of shop that was due at 2026-11-19T11:58:00Z is not made yet: look at the server's log]"},
		{monitors: flow.Monitors{Generation: &flow.Delay{Critical: time.Hour}}, flow: shop, late: 16 * time.Minute, want: "[]"},
	} {
		got := []string{}
		for _, w := range slowGeneration(&c.monitors, c.flow, now.Add(-c.late), now, c.answer) {
			got = append(got, string(w.event.Severity)+" "+w.event.Detail)
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
