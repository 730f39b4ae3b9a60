package alert

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// office is a desk with a store and channels that do what a test says.
type office struct {
	t       testing.TB
	project *flow.Project
	now     period.Instant
	desk    *Desk
	answer  func(*engine.Delivery) Receipt // nil: everything is delivered
	got     []engine.Delivery              // delivered, in order

	alerts     map[engine.AlertID]engine.Alert
	deliveries map[engine.DeliveryID]engine.Delivery
	silences   map[engine.SilenceID]engine.Silence
	subs       []engine.Subscription
	overrides  map[engine.OverrideID]engine.Override
	events     []engine.Event
	keys       map[string]engine.DeliveryID
	run        engine.RunID
}

func newOffice(t testing.TB, documents ...string) *office {
	o := &office{
		t: t, now: instant(t, "2026-11-27T00:00:00Z"), alerts: map[engine.AlertID]engine.Alert{},
		deliveries: map[engine.DeliveryID]engine.Delivery{}, silences: map[engine.SilenceID]engine.Silence{}, overrides: map[engine.OverrideID]engine.Override{}, keys: map[string]engine.DeliveryID{},
	}
	if len(documents) == 0 {
		documents = []string{testdata(t, "people.yaml"), testdata(t, "flows.yaml")}
	}
	o.project = compile(t, documents...)
	o.restart()
	return o
}

// restart forgets the desk and rebuilds it from the rows.
func (o *office) restart() {
	var box engine.Outbox
	for _, id := range slices.Sorted(maps.Keys(o.alerts)) {
		box.LastAlert = id
		if o.alerts[id].Closed == 0 {
			box.Alerts = append(box.Alerts, o.alerts[id])
		}
	}
	for _, id := range slices.Sorted(maps.Keys(o.deliveries)) {
		box.LastDelivery = id
		if o.deliveries[id].State == engine.DeliveryPending {
			box.Deliveries = append(box.Deliveries, o.deliveries[id])
		}
	}
	for _, id := range slices.Sorted(maps.Keys(o.silences)) {
		box.LastSilence = id
		box.Silences = append(box.Silences, o.silences[id])
	}
	for _, id := range slices.Sorted(maps.Keys(o.overrides)) {
		box.LastOverride = id
		box.Overrides = append(box.Overrides, o.overrides[id])
	}
	box.Subscriptions = o.subs
	o.desk = NewDesk(o.now, &box)
	o.desk.Activate(o.project)
}

// store keeps the rows, as the store would.
func (o *office) store() {
	var c engine.Changes
	o.desk.Take(&c)
	for _, a := range c.Alerts {
		o.alerts[a.ID] = a
	}
	for _, d := range c.Deliveries {
		if id := cmp.Or(o.keys[d.Key], d.ID); id != d.ID {
			o.t.Fatalf("deliveries %d and %d have the key %s", id, d.ID, d.Key)
		}
		o.keys[d.Key] = d.ID
		d.Items, d.Alerts, d.Reasons = slices.Clone(d.Items), slices.Clone(d.Alerts), slices.Clone(d.Reasons)
		o.deliveries[d.ID] = d
	}
	for _, s := range c.Silences {
		o.silences[s.ID] = s
	}
	for _, v := range c.Overrides {
		o.overrides[v.ID] = v
	}
	for _, s := range c.Subscriptions {
		o.subs = slices.DeleteFunc(o.subs, func(x engine.Subscription) bool { return x.Target == s.Target && x.Person == s.Person })
		if !s.Removed {
			o.subs = append(o.subs, s)
		}
	}
	o.events = append(o.events, c.Events...)
}

// pass lets time pass, with all that happens in it.
func (o *office) pass(d time.Duration) {
	until := o.now.Add(d)
	for {
		at, ok := o.desk.NextWake()
		if !ok || at > until {
			break
		}
		o.now = max(o.now, at)
		o.desk.Tick(o.now)
		o.settle()
	}
	o.now = until
}

// settle stores what changed and sends what is due, until nothing is.
func (o *office) settle() {
	for {
		o.store()
		due := o.desk.Due()
		if len(due) == 0 {
			return
		}
		for i := range due {
			r := Receipt{Delivered: true}
			if o.answer != nil {
				r = o.answer(&due[i])
			}
			r.ID = due[i].ID
			if r.Delivered {
				o.got = append(o.got, due[i])
			}
			o.desk.Sent(o.now, r)
		}
	}
}

// tell makes an event of a task run of 2026-11-26.
func (o *office) tell(kind flow.Event, task string, causes ...string) {
	o.run++
	f, name, _ := strings.Cut(task, "/")
	r := &engine.Run{ID: o.run, Flow: f, Label: "2026-11-26", Version: 1, Kind: engine.Scheduled}
	o.desk.Tell(o.now, &Happening{
		Event: engine.Event{Kind: kind, Flow: f, Task: name, Run: r.ID, Key: fmt.Sprintf("%s/%d/%s", kind, r.ID, name), At: o.now, Causes: causes}, Of: r,
	})
	o.settle()
}

// take returns what arrived since the last call: channel, receiver and headline.
func (o *office) take() []string {
	list := []string{}
	for i := range o.got {
		d := &o.got[i]
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s: %s %s", d.To.Channel, d.To.Name, Headline(d), d.Note)))
	}
	slices.Sort(list)
	o.got = nil
	return list
}

func (o *office) want(what string, want ...string) {
	o.t.Helper()
	if got := o.take(); !slices.Equal(got, want) {
		o.t.Errorf("%s: got\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestIncident(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	const up = "high/quiet@2026-11-26"
	o.tell(flow.Failed, "high/quiet")
	o.want("before it is gathered")
	o.pass(2 * time.Second)
	o.want("a failure", "mail Alice: "+up+" failed", "mail Bob: "+up+" failed", "texts Alice: "+up+" failed")

	o.tell(flow.DependencyLate, "high/load", up)
	o.pass(2 * time.Second)
	o.want("what follows is mailed alone", "mail Alice: high/load@2026-11-26 dependency late", "mail Bob: high/load@2026-11-26 dependency late")
	o.tell(flow.OutputLate, "ops/a", up)
	o.pass(2 * time.Second)
	o.want("whoever was not texted is", "mail carol: ops/a@2026-11-26 output late", "texts carol: ops/a@2026-11-26 output late")
	o.tell(flow.OutputLate, "low/plain", "ops/a@2026-11-26") // follows from what joined
	o.pass(2 * time.Second)
	o.want("and so on", "mail Alice: low/plain@2026-11-26 output late", "mail Bob: low/plain@2026-11-26 output late")
	if len(o.alerts) != 1 || o.alerts[1].Events != 4 || o.alerts[1].Severity != flow.Major {
		t.Errorf("alerts: %+v", o.alerts)
	}

	o.restart()
	o.tell(flow.Expired, "ops/a", up)
	o.pass(2 * time.Second)
	o.want("after a restart", "mail carol: ops/a@2026-11-26 expired")

	o.tell(flow.Recovered, "high/quiet")
	o.pass(2 * time.Second)
	o.want("all who were told hear that it is over", "mail Alice: "+up+" recovered", "mail Bob: "+up+" recovered", "mail carol: "+up+" recovered",
		"texts Alice: "+up+" recovered", "texts carol: "+up+" recovered")
	if a := o.alerts[1]; a.Closed == 0 || a.Why != "it recovered" {
		t.Errorf("the alert is %+v", a)
	}
	o.tell(flow.Failed, "high/load")
	o.pass(2 * time.Second)
	if got := o.take(); len(o.alerts) != 2 || len(got) != 3 {
		t.Errorf("a failure after the recovery: %q", got)
	}
}

func TestStorm(t *testing.T) {
	t.Parallel()
	var doc strings.Builder
	doc.WriteString("flow: many\nteam: data\npriority: 1\ntasks:\n")
	for i := range 100 {
		fmt.Fprintf(&doc, "  t%d: {run: 'true'}\n", i)
	}
	o := newOffice(t, testdata(t, "people.yaml"), doc.String())
	for i := range 100 {
		o.tell(flow.Failed, fmt.Sprintf("many/t%d", i))
	}
	o.pass(2 * time.Second)
	if len(o.got) != 3 {
		t.Fatalf("100 failures made %d messages", len(o.got))
	}
	for _, d := range o.got {
		if len(d.Items) != 100 || len(d.Alerts) != 100 {
			t.Errorf("%s tells of %d failures and %d alerts", d.To.Channel, len(d.Items), len(d.Alerts))
		}
	}
	o.want("a storm", "mail Alice: 100 failed: many/t0@2026-11-26 and 99 more", "mail Bob: 100 failed: many/t0@2026-11-26 and 99 more",
		"texts Alice: 100 failed: many/t0@2026-11-26 and 99 more")
	// A storm that goes on is gathered for longer, and nothing of it is lost.
	texts, items := 0, 0
	for i := range 60 {
		o.tell(flow.Failed, fmt.Sprintf("many/t%d", i))
		o.tell(flow.Recovered, fmt.Sprintf("many/t%d", i))
		o.pass(5 * time.Second)
	}
	o.pass(2 * time.Minute)
	for _, d := range o.got {
		if d.To.Kind == flow.SMS {
			texts++
			items += len(d.Items) + d.More
		}
	}
	if texts > 18 || items < 60 {
		t.Errorf("five minutes of storm made %d texts of %d events, want at most three a minute", texts, items)
	}
}

// TestUrgentInAStorm: what is critical is told within two seconds whatever else is told, and all else within a minute of its turn.
func TestUrgentInAStorm(t *testing.T) {
	t.Parallel()
	var doc strings.Builder
	doc.WriteString("flow: many\nteam: data\npriority: 1\ntasks:\n")
	for i := range 100 {
		fmt.Fprintf(&doc, "  t%d: {run: 'true'}\n", i)
	}
	doc.WriteString("  vital: {run: 'true', alerts: {rules: [{events: [failed], severity: critical, notify: [oncall:data]}]}}\n")
	o := newOffice(t, testdata(t, "people.yaml"), doc.String())
	at := map[string]period.Instant{}
	storm := func(from, to int) {
		for i := from; i < to; i++ {
			name := fmt.Sprintf("many/t%d", i)
			at[name] = o.now
			o.tell(flow.Failed, name)
			o.pass(time.Second)
		}
	}
	texted := func(task string) bool {
		return slices.ContainsFunc(o.got, func(d engine.Delivery) bool {
			return d.To.Kind == flow.SMS && slices.ContainsFunc(d.Items, func(i engine.Item) bool { return i.Flow+"/"+i.Task == task })
		})
	}
	storm(0, 40)
	if o.pass(time.Second); texted("many/t39") {
		t.Fatal("the storm is not held back: the test shows nothing")
	}
	at["many/vital"] = o.now
	o.tell(flow.Failed, "many/vital")
	if o.pass(2 * time.Second); !texted("many/vital") {
		t.Error("what is critical waits behind what is not")
	}
	storm(40, 100)
	o.pass(burstTime + gather)
	late := map[string]time.Duration{}
	for _, d := range o.got {
		for _, i := range d.Items {
			if name := i.Flow + "/" + i.Task; d.To.Kind == flow.SMS {
				late[name] = max(late[name], d.NextAt.Sub(at[name]))
			}
		}
	}
	for name := range at {
		if d, told := late[name]; !told || d > burstTime+gather {
			t.Errorf("%s is texted after %s, or not at all", name, d)
		}
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	o := newOffice(t, testdata(t, "people.yaml"), testdata(t, "flows.yaml"))
	var tries []time.Duration
	began := o.now
	o.answer = func(d *engine.Delivery) Receipt {
		if d.To.Kind == flow.SMS && d.About == 0 {
			tries = append(tries, o.now.Sub(began))
			return Receipt{Retryable: true, Message: "busy"}
		}
		return Receipt{Delivered: true}
	}
	o.tell(flow.Failed, "high/quiet")
	o.pass(10 * time.Minute)
	want := []time.Duration{time.Second, 6 * time.Second, 21 * time.Second, 66 * time.Second}
	if !slices.Equal(tries, want) {
		t.Errorf("tried after %v, want %v", tries, want)
	}
	o.want("the admins hear of it", "mail Alice: high/quiet@2026-11-26 failed", "mail Bob: high/quiet@2026-11-26 failed", "mail carol: delivery failed")
	if d := o.deliveries[o.keys["failed/1/quiet/texts/+86130"]]; d.State != engine.DeliveryFailed || d.Tries != 4 || d.Message != "busy" {
		t.Errorf("the failed delivery is %+v", d)
	}
	if len(o.events) != 1 || o.events[0].Kind != flow.DeliveryFailed {
		t.Errorf("events: %+v", o.events)
	}
}

func TestNotRetried(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	tries := 0
	o.answer = func(d *engine.Delivery) Receipt {
		if d.To.Kind == flow.SMS {
			tries++
			return Receipt{Message: "no such number"}
		}
		return Receipt{Delivered: true}
	}
	o.tell(flow.Failed, "high/quiet")
	o.pass(3 * time.Second)
	if got := o.take(); tries != 1 || !slices.Contains(got, "mail carol: delivery failed") {
		t.Errorf("%d tries; %q", tries, got)
	}
}

// When email is down, the admins hear of it by the next channel, and of that one's failure by the one after.
func TestMailIsDown(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.answer = func(d *engine.Delivery) Receipt {
		return Receipt{Delivered: d.To.Kind == flow.Webhook, Message: "down"}
	}
	o.tell(flow.Failed, "low/plain")
	o.pass(5 * time.Second)
	o.want("by the last channel that works", "pages pages: delivery failed, and 1 more")
	for _, kind := range []flow.ChannelKind{flow.Email, flow.SMS} {
		if !slices.ContainsFunc(slices.Collect(maps.Values(o.deliveries)), func(d engine.Delivery) bool {
			return d.About != 0 && d.To.Kind == kind && d.State == engine.DeliveryFailed
		}) {
			t.Errorf("the admins were not tried by %s", kind)
		}
	}
	pending := slices.DeleteFunc(slices.Collect(maps.Values(o.deliveries)), func(d engine.Delivery) bool { return d.State != engine.DeliveryPending })
	if len(pending) > 0 {
		t.Errorf("still pending: %+v", pending)
	}
}

func TestEscalation(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	const subject = "high/quiet@2026-11-26"
	o.tell(flow.Failed, "high/quiet")
	o.pass(14 * time.Minute)
	o.take()
	o.restart()
	o.pass(2 * time.Minute)
	o.want("the secondary", "mail Bob: "+subject+" failed nobody has acknowledged it yet", "texts Bob: "+subject+" failed nobody has acknowledged it yet")
	o.pass(15 * time.Minute)
	o.want("another team", "mail carol: "+subject+" failed nobody has acknowledged it yet", "texts carol: "+subject+" failed nobody has acknowledged it yet")
	o.pass(4 * time.Hour)
	if got := o.take(); len(got) != 6 || !strings.Contains(got[0], "nobody has acknowledged it since 2026-11-27T00:00:00Z") {
		t.Errorf("told again: %q", got)
	}
	if acked := o.desk.Ack(o.now, []engine.AlertID{1, 7}, "bob"); len(acked) != 1 || acked[0].AckedBy != "bob" {
		t.Errorf("acknowledged: %+v", acked)
	}
	if again := o.desk.Ack(o.now, []engine.AlertID{1}, "carol"); len(again) != 0 {
		t.Errorf("acknowledged twice: %+v", again)
	}
	o.settle()
	o.restart()
	o.pass(8 * 24 * time.Hour)
	o.want("nothing more once it is acknowledged")
	if a := o.alerts[1]; a.Closed == 0 || a.AckedBy != "bob" {
		t.Errorf("an old alert is not closed: %+v", a)
	}
}

func TestAcknowledgedInTime(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.tell(flow.Failed, "high/quiet")
	o.tell(flow.Failed, "low/plain") // by mail alone: nobody is waited for
	o.pass(time.Minute)
	o.take()
	o.desk.Ack(o.now, []engine.AlertID{1}, "bob")
	o.pass(6 * 24 * time.Hour)
	o.want("nobody else is told")
}

// A minor alert waits for nobody. When something more important joins it, the escalation counts from then on, not from its opening.
func TestAMinorAlertBecomesMajor(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.tell(flow.Failed, "low/plain")
	o.pass(5 * time.Hour)
	if a := o.alerts[1]; a.Severity != flow.Minor || a.Step != 0 || a.Repeats != 0 || len(o.take()) != 2 {
		t.Errorf("a minor alert: %+v", a)
	}
	o.tell(flow.DependencyLate, "high/quiet", "low/plain@2026-11-26")
	o.pass(14 * time.Minute)
	if a := o.alerts[1]; a.Severity != flow.Major || a.Events != 2 || a.Step != 0 {
		t.Errorf("it became major: %+v", a)
	}
	o.restart()
	o.take()
	o.pass(2 * time.Minute)
	if a := o.alerts[1]; a.Step != 1 {
		t.Errorf("after 16 minutes %d steps were taken", a.Step)
	}
	o.want("the secondary", "mail Bob: low/plain@2026-11-26 failed, and 1 more nobody has acknowledged it yet", "texts Bob: low/plain@2026-11-26 failed, and 1 more nobody has acknowledged it yet")
	o.pass(3 * time.Hour)
	o.take()
	o.pass(time.Hour)
	if a := o.alerts[1]; a.Step != 2 || a.Repeats != 1 {
		t.Errorf("after four hours: %+v", a)
	}
}

func TestUnansweredCall(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.answer = func(d *engine.Delivery) Receipt {
		if d.To.Kind == flow.Phone && d.To.Name == "Dave" {
			return Receipt{Unanswered: true, Message: "no answer"}
		}
		return Receipt{Delivered: true, Acknowledged: d.To.Kind == flow.Phone}
	}
	o.tell(flow.Failed, "low/extra")
	o.pass(4 * time.Second)
	if got := o.take(); !slices.Contains(got, "calls Bob: low/extra@2026-11-26 failed nobody has acknowledged it yet") {
		t.Errorf("the next of the escalation was not called: %q", got)
	}
	if a := o.alerts[1]; a.AckedBy != "Bob" {
		t.Errorf("the key that Bob pressed did not acknowledge: %+v", a)
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	quiet := o.desk.Silence(o.now, engine.Silence{Target: "low/plain", Why: "known", By: "bob", Until: o.now.Add(2 * time.Hour)})
	o.desk.Silence(o.now, engine.Silence{Target: "high", Why: "moving", By: "bob", Until: o.now.Add(time.Hour)})
	o.tell(flow.Failed, "low/plain")
	o.tell(flow.Failed, "high/quiet")
	o.tell(flow.Killed, "low/plain")
	o.tell(flow.Failed, "low/plain")
	o.tell(flow.Failed, "ops/a")
	o.pass(30 * time.Minute)
	o.want("what no silence covers", "mail carol: ops/a@2026-11-26 failed", "texts carol: ops/a@2026-11-26 failed")
	o.restart()
	o.tell(flow.Recovered, "high/quiet")
	o.pass(time.Hour)
	o.want("what was over before the silence was")
	if _, err := o.desk.Lift(o.now, quiet.ID, "alice"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.desk.Lift(o.now, quiet.ID, "alice"); err == nil {
		t.Error("a silence was lifted twice")
	}
	o.pass(time.Second)
	o.want("what lasts when it is lifted", "mail Alice: low/plain@2026-11-26 failed", "mail Bob: low/plain@2026-11-26 failed")
	states := map[engine.DeliveryState]int{}
	for _, d := range o.deliveries {
		states[d.State]++
	}
	if states[engine.DeliveryPending] != 0 || states[engine.DeliverySilenced] == 0 {
		t.Errorf("states: %v", states)
	}
}

// TestOverride: who stands in is told, also after a restart, until the override ends or is taken back.
func TestOverride(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	texted := func(when, who string) {
		t.Helper()
		o.tell(flow.Failed, "high/load")
		o.pass(2 * time.Second)
		got := ""
		for _, d := range o.got {
			if d.To.Kind == flow.SMS {
				got = d.To.Person
			}
		}
		if o.got = nil; got != who {
			t.Errorf("%s: %q is texted, want %q", when, got, who)
		}
		o.tell(flow.Recovered, "high/load")
		o.pass(2 * burstTime)
		o.got = nil
	}
	texted("by rotation", "alice")
	v := o.desk.Override(o.now, engine.Override{Team: "data", Person: "bob", From: o.now.Add(-time.Hour), To: o.now.Add(24 * time.Hour), By: "ann", Why: "a wedding"})
	if v.From != o.now {
		t.Errorf("an override begins in the past, at %s", v.From.Time())
	}
	o.settle()
	texted("overridden", "bob")
	o.restart()
	texted("after a restart", "bob")
	if _, err := o.desk.EndOverride(o.now, v.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	o.settle()
	texted("taken back", "alice")
	if _, err := o.desk.EndOverride(o.now, v.ID, "ann"); err == nil {
		t.Error("it was taken back twice")
	}
	if next := o.desk.Override(o.now, engine.Override{Team: "data", Person: "bob", From: o.now, To: o.now.Add(time.Hour)}); next.ID != v.ID+1 {
		t.Errorf("the next one is %d", next.ID)
	}
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.desk.Subscribe(o.now, engine.Subscription{Target: "ops", Person: "dave", By: "dave"})
	o.desk.Subscribe(o.now, engine.Subscription{Target: "ops", Person: "dave", By: "dave"})
	o.settle()
	o.restart()
	o.tell(flow.Failed, "ops/a")
	o.pass(2 * time.Second)
	o.want("a subscriber", "mail Dave: ops/a@2026-11-26 failed", "mail carol: ops/a@2026-11-26 failed",
		"texts Dave: ops/a@2026-11-26 failed", "texts carol: ops/a@2026-11-26 failed")
	o.desk.Subscribe(o.now, engine.Subscription{Target: "ops", Person: "dave", By: "dave", Removed: true})
	o.tell(flow.Killed, "ops/a")
	o.pass(2 * time.Second)
	o.want("no more", "mail carol: ops/a@2026-11-26 killed")
	if len(o.subs) != 0 {
		t.Errorf("subscriptions: %+v", o.subs)
	}
}

func TestStuck(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.tell(flow.Failed, "low/plain")
	o.now = o.now.Add(2 * time.Second)
	o.desk.Tick(o.now)
	o.store()
	hung := o.desk.Due() // and no answer comes
	if len(hung) != 2 {
		t.Fatalf("handed out: %+v", hung)
	}
	o.pass(6 * time.Minute)
	if got := o.take(); !slices.Contains(got, "texts carol: outbox stuck") {
		t.Errorf("nobody hears of a stuck outbox: %q", got)
	}
	if n := len(o.events); n != 1 {
		t.Errorf("%d events of it", n)
	}
	if n := len(o.desk.Standing(flow.OutboxStuck)); n != 1 {
		t.Errorf("%d alerts tell of it", n)
	}
	for i := range hung {
		o.desk.Sent(o.now, Receipt{ID: hung[i].ID, Delivered: true})
	}
	o.settle()
	if n := len(o.desk.Standing(flow.OutboxStuck)); n != 0 {
		t.Error("the alert is open though nothing is stuck any more")
	}
}

// Whatever channels do, and whenever the desk is rebuilt: every receiver of every event gets it or its delivery is recorded as failed or silenced,
// no two deliveries have one key, and nothing stays pending for ever.
func TestNothingIsDropped(t *testing.T) {
	t.Parallel()
	people, flows := testdata(t, "people.yaml"), testdata(t, "flows.yaml")
	project := compile(t, people, flows)
	tasks := []string{"high/load", "high/quiet", "high/mine", "low/plain", "low/extra", "low/ruled", "ops/a"}
	rapid.Check(t, func(rt *rapid.T) {
		o := &office{
			t: t, project: project, now: instant(t, "2026-11-27T00:00:00Z"), alerts: map[engine.AlertID]engine.Alert{},
			deliveries: map[engine.DeliveryID]engine.Delivery{}, silences: map[engine.SilenceID]engine.Silence{}, keys: map[string]engine.DeliveryID{},
		}
		o.restart()
		o.answer = func(*engine.Delivery) Receipt {
			switch rapid.IntRange(0, 5).Draw(rt, "answer") {
			case 0:
				return Receipt{Retryable: true}
			case 1:
				return Receipt{}
			case 2:
				return Receipt{Unanswered: true}
			}
			return Receipt{Delivered: true}
		}
		type told struct {
			subject string
			event   flow.Event
			to      engine.Told
		}
		due := map[told]bool{}
		steps := rapid.IntRange(1, 30).Draw(rt, "steps")
		for range steps {
			switch rapid.IntRange(0, 6).Draw(rt, "step") {
			case 0:
				o.settle()
				o.restart()
			case 1:
				o.pass(time.Duration(rapid.IntRange(0, 3600).Draw(rt, "seconds")) * time.Second)
			case 2:
				o.desk.Silence(o.now, engine.Silence{Target: rapid.SampledFrom(tasks).Draw(rt, "silenced"), Until: o.now.Add(time.Hour)})
			case 3:
				o.desk.Ack(o.now, []engine.AlertID{engine.AlertID(rapid.IntRange(1, 5).Draw(rt, "acked"))}, "bob")
			default:
				task := rapid.SampledFrom(tasks).Draw(rt, "task")
				kind := rapid.SampledFrom([]flow.Event{flow.Failed, flow.OutputLate, flow.Expired, flow.Recovered, flow.Killed}).Draw(rt, "kind")
				f, name, _ := strings.Cut(task, "/")
				route := (&Router{Project: project, Programs: &o.desk.programs}).Route(&Occasion{Kind: kind, Flow: f, Task: name}, o.now)
				for _, to := range route.To {
					if to.Kind == flow.Email {
						due[told{task + "@2026-11-26", kind, toldOf(to)}] = true
					}
				}
				o.tell(kind, task)
			}
		}
		o.answer = nil
		o.settle()
		o.restart()
		o.pass(30 * 24 * time.Hour)
		for _, d := range o.deliveries {
			if d.State == engine.DeliveryPending {
				rt.Fatalf("still pending: %+v", d)
			}
			for _, i := range d.Items {
				delete(due, told{i.Subject, i.Event, d.To})
			}
		}
		if len(due) > 0 {
			rt.Fatalf("never written down: %+v", due)
		}
		for _, a := range o.alerts {
			if a.Closed == 0 {
				rt.Fatalf("still open: %+v", a)
			}
		}
	})
}

// A desk that is rebuilt from its rows does what the one would have done that wrote them.
func TestRebuilt(t *testing.T) {
	t.Parallel()
	play := func(restarts bool) []string {
		o := newOffice(t)
		for i, task := range []string{"high/quiet", "low/extra", "ops/a", "high/load"} {
			o.tell(flow.Failed, task)
			if restarts {
				o.restart()
			}
			o.pass(time.Duration(i*7) * time.Minute)
		}
		o.tell(flow.Recovered, "ops/a")
		if restarts {
			o.restart()
		}
		o.pass(time.Hour)
		return o.take()
	}
	if a, b := play(false), play(true); !reflect.DeepEqual(a, b) {
		t.Errorf("without restarts\n  %s\nwith them\n  %s", strings.Join(a, "\n  "), strings.Join(b, "\n  "))
	}
}
