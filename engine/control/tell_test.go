package control

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/alert"
	"flowctl/engine/core"
	"flowctl/engine/store/storetest"
)

// channels are those of the tests; a third-party plugin, since the built-in ones say how their settings look.
const channels = `people:
  ann: {name: Ann, email: ann@example.com}
  ops: {email: ops@example.com}
---
teams:
  data: {members: [ann]}
  ops: {members: [ops]}
---
channels:
  mail: {plugin: post, kind: email}
`

const postPlugin = "version: 1\nplugins:\n  post: {kind: channel, version: '1', sha256: " +
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}\n"

// outbox notes what is delivered, and does with it what a test says.
type outbox struct {
	mu     sync.Mutex
	got    map[string]int // by key
	order  []string       // receiver: headline
	answer func(*engine.Delivery) alert.Receipt
	hang   bool // until the context ends
}

func (o *outbox) deliver(ctx context.Context, _ *flow.Project, d *engine.Delivery) alert.Receipt {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := alert.Receipt{ID: d.ID, Delivered: true}
	if o.answer != nil {
		r = o.answer(d)
		r.ID = d.ID
	}
	if r.Delivered {
		o.got[d.Key]++
		o.order = append(o.order, d.To.Name+": "+alert.Headline(d))
	}
	if o.hang {
		o.mu.Unlock()
		<-ctx.Done()
		o.mu.Lock()
	}
	return r
}

func (o *outbox) received() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(slices.Values(o.order))
}

// alertFixture has channels, and starts nothing.
func alertFixture(t *testing.T) *fixture {
	f := newFixture(t)
	f.write("flowctl.yaml", flowsRoot+"admins: [ops]\n")
	f.write("people.yaml", channels)
	f.write("plugins.lock", postPlugin)
	f.outbox = &outbox{got: map[string]int{}}
	return f
}

// quiet lets time pass until no delivery is pending. What was handed out is answered without that.
func (f *fixture) quiet() {
	f.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); runtime.Gosched() {
		rows, _, err := f.store.Deliveries(f.t.Context(), engine.DeliveryQuery{State: engine.DeliveryPending, Limit: 1000})
		f.must(err)
		if len(rows) == 0 {
			return
		}
		now := period.At(f.clock())
		if !slices.ContainsFunc(rows, func(d engine.Delivery) bool { return d.NextAt <= now }) {
			f.pass(2 * time.Second)
		}
	}
	f.t.Fatal("deliveries stay pending")
}

// An alert is there exactly when the failure is, whatever becomes of the commit, and is delivered then.
func TestAlertsAreStoredWithTheirCause(t *testing.T) {
	t.Parallel()
	for _, fault := range []storetest.Fault{storetest.None, storetest.FailBefore, storetest.FailAfter} {
		f := alertFixture(t)
		f.start()
		t.Cleanup(func() { f.end() })
		f.sync("active")
		f.join()
		_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-12"})
		f.must(err)
		f.executed()
		id, _ := f.fleet.find("shop/a@2026-11-12")
		end := core.Reported{Agent: "local", Reports: []engine.Report{
			{Attempt: id, Kind: engine.ReportFinished, Result: engine.Result{State: engine.Failed, Code: engine.CodeExit, Message: "exit code 3"}},
		}}
		f.store.Next(fault)
		if _, err := f.loop.Do(t.Context(), end); (err != nil) != (fault != storetest.None) {
			t.Fatalf("fault %d: %v", fault, err)
		}
		if fault != storetest.None {
			if err := <-f.ended; err == nil {
				t.Fatalf("fault %d: the loop goes on", fault)
			}
			stored, _, err := f.store.Alerts(t.Context(), engine.AlertQuery{})
			f.must(err)
			if events := f.events("", ""); len(stored) != len(events) {
				t.Fatalf("fault %d: %d alerts are stored and %d events", fault, len(stored), len(events))
			}
			f.start()
			f.join()
		}
		_, err = f.loop.Do(t.Context(), end)
		f.must(err)
		f.quiet()
		if got := f.outbox.received(); len(got) != 1 || got[0] != "Ann: shop/a@2026-11-12 failed" {
			t.Errorf("fault %d: received %q", fault, got)
		}
		list, err := f.service.Alerts(t.Context(), engine.AlertsQuery{Open: true})
		f.must(err)
		if len(list.Items) != 1 || list.Items[0].Subject != "shop/a@2026-11-12" || list.Items[0].Detail != "exit code 3" || len(list.Items[0].Told) != 1 {
			t.Errorf("fault %d: alerts %+v", fault, list.Items)
		}
	}
}

// A need that is not met because something is late joins its alert: the cause comes from the scheduler.
func TestWhatFollowsJoins(t *testing.T) {
	t.Parallel()
	f := alertFixture(t)
	f.write("shop.yaml", strings.Replace(shop, "a: {run: 'true'}", "a: {run: 'true', output_timeout: 30m}", 1))
	f.write("mart.yaml", "flow: mart\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks:\n  m: {run: 'true', needs: [shop/b], dependency_timeout: 1h}\n")
	f.start()
	t.Cleanup(f.end)
	f.sync("active")
	f.join()
	for _, name := range []string{"shop", "mart"} {
		_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: name + "@2026-11-18"})
		f.must(err)
	}
	f.executed()
	f.pass(2 * time.Hour)
	f.pass(time.Second)
	f.quiet()
	list, err := f.service.Alerts(t.Context(), engine.AlertsQuery{})
	f.must(err)
	if len(list.Items) != 1 || list.Items[0].Events != 2 || !slices.Equal(list.Items[0].Members, []string{"mart/m@2026-11-18"}) {
		t.Fatalf("alerts %+v of events %+v", list.Items, f.events("", ""))
	}
	f.drain()
	f.quiet()
	list, err = f.service.Alerts(t.Context(), engine.AlertsQuery{})
	f.must(err)
	if a := list.Items[0]; a.State != "closed" || a.Why != "it recovered" {
		t.Errorf("after the recovery: %+v", a)
	}
}

// A server that ends at random instants, with a channel that fails, hangs and answers late, tells every receiver of every failure, with the same
// key each time.
func TestAlertChaos(t *testing.T) {
	t.Parallel()
	f := alertFixture(t)
	var text strings.Builder
	const flows, rounds = 12, 25
	for i := range flows {
		fmt.Fprintf(&text, "flow: f%d\nteam: data\nschedule: {every: day, start: 2026-10-01}\ntasks:\n  t: {run: 'true'}\n---\n", i)
	}
	f.write("many.yaml", strings.TrimSuffix(text.String(), "---\n"))
	random := rand.New(rand.NewPCG(1, 2))
	mood := rand.New(rand.NewPCG(3, 4)) // the channel's own: it answers while the test goes on
	f.outbox.answer = func(*engine.Delivery) alert.Receipt {
		f.outbox.hang = mood.IntN(6) == 0
		return alert.Receipt{Delivered: mood.IntN(3) > 0, Retryable: true, Message: "not now"}
	}
	f.start()
	t.Cleanup(func() { f.end() })
	f.sync("active")
	f.join()
	failures := 0
	for round := range rounds {
		day := time.Date(2026, 10, 1+round, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		for i := range flows {
			if random.IntN(2) == 0 {
				continue
			}
			_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: fmt.Sprintf("f%d@%s", i, day)})
			f.must(err)
			f.finish(fmt.Sprintf("f%d/t@%s", i, day), engine.Failed)
			failures++
		}
		f.pass(time.Duration(random.IntN(3000)) * time.Millisecond)
		if random.IntN(2) == 0 {
			f.end()
			f.must(<-f.ended)
			f.start()
			f.join()
		}
	}
	f.end()
	f.must(<-f.ended)
	f.outbox.mu.Lock()
	f.outbox.answer, f.outbox.hang = nil, false
	f.outbox.mu.Unlock()
	f.start()
	f.join()
	f.pass(time.Minute)
	f.quiet()
	rows, next, err := f.store.Deliveries(t.Context(), engine.DeliveryQuery{Limit: 10_000})
	f.must(err)
	if next != "" {
		t.Fatal("there are more deliveries")
	}
	told, failed, twice := map[string]bool{}, 0, 0
	f.outbox.mu.Lock()
	defer f.outbox.mu.Unlock()
	for _, d := range rows {
		switch {
		case d.State == engine.DeliveryFailed:
			failed++
		case f.outbox.got[d.Key] == 0:
			t.Errorf("delivery %d is recorded as delivered and never arrived", d.ID)
		case f.outbox.got[d.Key] > 1:
			twice++
		}
		for _, i := range d.Items {
			if i.Event == flow.Failed {
				told[i.Subject] = true
			}
		}
		delete(f.outbox.got, d.Key)
	}
	if len(told) != failures {
		t.Errorf("%d of %d failures were written to the outbox", len(told), failures)
	}
	if len(f.outbox.got) > 0 {
		t.Errorf("arrived, and are no deliveries: %v", f.outbox.got)
	}
	t.Logf("%d failures, %d deliveries, %d of them failed for good and told to the admins, %d arrived more than once under their key", failures, len(rows), failed, twice)
}

func TestAckBySignedToken(t *testing.T) {
	t.Parallel()
	f := alertFixture(t)
	f.service.Key = []byte("key")
	f.start()
	t.Cleanup(f.end)
	f.sync("active")
	f.join()
	_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-12"})
	f.must(err)
	f.finish("shop/a@2026-11-12", engine.Failed)
	f.quiet()
	good := f.service.Token(1)
	for _, bad := range []string{"", "1", "1-", "1-0123456789abcdef0123456789abcdef", "2" + good[1:], good + "0", strings.ToUpper(good) + "x"} {
		_, err := f.service.AckToken(t.Context(), bad)
		f.wantError(err, engine.NotFound, "the link is not this server's")
	}
	acked, err := f.service.AckToken(t.Context(), good)
	f.must(err)
	if len(acked) != 1 || acked[0].AckedBy != "Ann" || acked[0].State != "acknowledged" {
		t.Errorf("acknowledged %+v", acked)
	}
	again, err := f.service.AckToken(t.Context(), good)
	f.must(err)
	if len(again) != 0 {
		t.Errorf("acknowledged again: %+v", again)
	}
}

func TestRejectedCommitIsTold(t *testing.T) {
	t.Parallel()
	f := alertFixture(t)
	f.start()
	t.Cleanup(f.end)
	f.sync("active")
	f.write("shop.yaml", "flow: shop\nteam: nobody\ntasks: {}\n")
	f.sync("rejected")
	f.pass(0) // the event is handled by now
	f.quiet()
	if got := f.outbox.received(); len(got) != 1 || got[0] != "ops: sync failed" {
		t.Errorf("received %q", got)
	}
}

func TestPlatformMonitors(t *testing.T) {
	t.Parallel()
	f := alertFixture(t)
	var pings atomic.Int64
	watchdog := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { pings.Add(1) }))
	t.Cleanup(watchdog.Close)
	f.write("flowctl.yaml", flowsRoot+"admins: [ops]\nmonitors: {agents: {major: 3, critical: 2}}\nwatchdog: {url: "+watchdog.URL+"}\n")
	f.start()
	t.Cleanup(f.end)
	f.sync("active")
	look, stop := f.platform()
	t.Cleanup(stop)
	add := func(name string) {
		f.must(f.store.PutAgent(t.Context(), &engine.Agent{Name: name, LastSeen: f.clock()}))
		_, err := f.loop.Do(t.Context(), core.AgentJoined{Hello: engine.Hello{Name: name, BootID: "1", Slots: 1}})
		f.must(err)
	}
	lose := func(name string) { f.must(f.loop.Post(t.Context(), core.AgentLost{Agent: name})) }
	add("a")
	add("b")
	look()
	if n := len(f.events("", flow.TooFewAgents)); n != 0 {
		t.Fatalf("told at once: %d", n)
	}
	f.pass(2 * time.Minute)
	look()
	lose("b")
	look()
	look()
	events := f.events("", flow.TooFewAgents)
	if len(events) != 2 || !strings.Contains(events[0].Detail, "1 agents are connected; wanted: at least 2") {
		t.Fatalf("events %+v, want one for major and one for critical", events)
	}
	f.pass(5 * time.Minute)
	add("b")
	add("c")
	look()
	for _, kind := range []flow.Event{flow.TooFewAgents, flow.AgentLost} {
		list, err := f.service.Alerts(t.Context(), engine.AlertsQuery{})
		f.must(err)
		i := slices.IndexFunc(list.Items, func(a engine.AlertView) bool { return a.Event == kind })
		if i < 0 || list.Items[i].State != "closed" {
			t.Errorf("the alert about %s is not closed: %+v", kind, list.Items)
		}
	}
	// Attempts that one host gives back.
	for i := range 6 {
		_, err := f.loop.Do(t.Context(), core.Observed{Event: engine.Event{Kind: flow.Redispatched, Flow: "shop", Agent: "c", Key: fmt.Sprint(i)}})
		f.must(err)
	}
	look()
	if events := f.events("", flow.RedispatchStorm); len(events) != 1 || events[0].Agent != "c" || !strings.Contains(events[0].Detail, "6 attempts within 10m") {
		t.Errorf("events %+v", events)
	}
	if pings.Load() == 0 {
		t.Error("the watchdog was not pinged")
	}
}

func TestSensibleMonitors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		connected, known int
		want             flow.Severity
	}{
		{0, 0, ""}, {1, 1, ""}, {0, 1, flow.Critical}, {1, 2, flow.Major}, {2, 3, ""}, {1, 3, flow.Major}, {3, 10, flow.Critical}, {6, 10, flow.Major}, {7, 10, ""},
	} {
		got := flow.Severity("")
		if w := tooFew(&flow.Monitors{}, c.connected, c.known); len(w) > 0 {
			got = w[0].event.Severity
		}
		if got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.connected, c.known, got, c.want)
		}
	}
}
