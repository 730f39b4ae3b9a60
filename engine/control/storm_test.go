package control

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine"
	"flowctl/engine/alert"
	"flowctl/engine/core"
)

// TestAStormIsToldInTime has two thousand tasks fail within a minute, on a simulated clock, and measures in the stored outbox how long each failure
// waits until its receiver has it.
func TestAStormIsToldInTime(t *testing.T) {
	t.Parallel()
	const (
		failures, batch = 2000, 10
		every           = 300 * time.Millisecond // a batch
		answer          = 300 * time.Millisecond // what a channel takes
		soon            = 2 * time.Second
		bound           = time.Minute + soon // for what is beyond the messages that an address gets in a minute
	)
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.write("people.yaml", strings.NewReplacer("ann@example.com}", "ann@example.com, sms: '+1'}", "kind: email}", "kind: email}\n  texts: {plugin: post, kind: sms}").Replace(channels))
		f.write("plugins.lock", postPlugin)
		var text strings.Builder
		text.WriteString("flow: storm\nteam: data\npriority: 1\ntasks:\n")
		for i := range failures {
			fmt.Fprintf(&text, "  t%d: {run: 'true'}\n", i)
		}
		text.WriteString("  vital: {run: 'true', alerts: {rules: [{events: [failed], severity: critical, notify: [ann]}]}}\n")
		f.write("storm.yaml", text.String())
		o := f.options()
		o.Now, o.Log = time.Now, slog.New(slog.DiscardHandler)
		o.Deliver = func(_ context.Context, _ *flow.Project, d *engine.Delivery) alert.Receipt {
			time.Sleep(answer)
			return alert.Receipt{ID: d.ID, Delivered: true}
		}
		f.service.Now, f.service.Follower.Now = time.Now, time.Now
		loop, err := New(t.Context(), o)
		f.must(err)
		ctx, stop := context.WithCancel(t.Context())
		go func() { _ = loop.Run(ctx) }()
		f.loop, f.stop = loop, stop
		f.service.Serve(loop)
		f.sync("active")
		_, err = loop.Do(t.Context(), core.AgentJoined{Hello: engine.Hello{Name: "local", BootID: "1", Slots: failures + 1}})
		f.must(err)
		_, err = f.service.StartRun(t.Context(), engine.StartRun{Target: "storm"})
		f.must(err)
		f.executed()
		label := strings.SplitAfter(f.fleet.names()[0], "@")[1]
		vital, ok := f.fleet.find("storm/vital@" + label)
		if !ok {
			t.Fatal("the vital task is not executed")
		}
		fail := func(ids ...engine.AttemptID) {
			reports := make([]engine.Report, len(ids))
			for i, id := range ids {
				f.fleet.drop(id)
				reports[i] = engine.Report{Attempt: id, Kind: engine.ReportFinished, Result: engine.Result{State: engine.Failed, Code: engine.CodeExit}}
			}
			_, err := loop.Do(t.Context(), core.Reported{Agent: "local", Reports: reports})
			f.must(err)
		}
		rest := slices.DeleteFunc(f.fleet.attempts(), func(id engine.AttemptID) bool { return id == vital })
		slices.Sort(rest)
		for part := range slices.Chunk(rest, batch) {
			fail(part...)
			time.Sleep(every)
			if part[0] == rest[failures/2] { // in the thick of it
				fail(vital)
			}
		}
		time.Sleep(bound)
		synctest.Wait()
		rows, _, err := f.store.Deliveries(t.Context(), engine.DeliveryQuery{Limit: 1000})
		f.must(err)
		slices.SortFunc(rows, func(a, b engine.Delivery) int { return int(a.ID - b.ID) })
		told, messages := map[flow.ChannelKind]int{}, map[flow.ChannelKind]int{}
		first, critical, worst := map[flow.ChannelKind]time.Duration{}, map[flow.ChannelKind]time.Duration{}, map[flow.ChannelKind]time.Duration{}
		for _, d := range rows {
			if d.State != engine.DeliveryDelivered {
				t.Fatalf("delivery %d is %s", d.ID, d.State)
			}
			kind, waited := d.To.Kind, d.Done.Sub(d.Items[0].At)
			if messages[kind] == 0 {
				first[kind] = waited
			}
			messages[kind]++
			told[kind] += len(d.Items) + d.More
			worst[kind] = max(worst[kind], waited)
			for _, item := range d.Items {
				if item.Task == "vital" {
					critical[kind] = d.Done.Sub(item.At)
				}
			}
		}
		for _, kind := range []flow.ChannelKind{flow.SMS, flow.Email} {
			t.Logf("%s: %d failures in %d messages, the first after %s, the critical one after %s, the last after %s", kind, told[kind], messages[kind], first[kind], critical[kind], worst[kind])
			if told[kind] != failures+1 || first[kind] > soon || critical[kind] == 0 || worst[kind] > bound {
				t.Errorf("by %s too late, or not told of all", kind)
			}
		}
		if critical[flow.SMS] > soon || critical[flow.Email] > soon {
			t.Errorf("what is critical waits: %s", critical)
		}
		f.end()
	})
}
