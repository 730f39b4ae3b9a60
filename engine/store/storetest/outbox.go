package storetest

import (
	"fmt"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

func testOutbox(w *world) {
	alert := func(id engine.AlertID, task string) engine.Alert {
		return engine.Alert{
			ID: id, Key: fmt.Sprint("failed/", id), Event: flow.Failed, Severity: flow.Major, Flow: "f", Task: task, Run: 3, Subject: "f/" + task + "@p",
			Events: 2, Members: []string{"f/b@p"}, Causes: []string{"g/a@p"}, Opened: at(1), Updated: at(2),
			Told: []engine.Told{{Channel: "texts", Kind: flow.SMS, Person: "alice", Name: "Alice", Address: "+86130"}},
		}
	}
	delivery := func(id engine.DeliveryID, alerts ...engine.AlertID) engine.Delivery {
		return engine.Delivery{
			ID: id, Key: fmt.Sprint("failed/", id, "/texts/+86130"), To: engine.Told{Channel: "texts", Kind: flow.SMS, Address: "+86130"},
			Severity: flow.Major, Alerts: alerts, Reasons: []string{"owner"}, State: engine.DeliveryPending, At: at(1), NextAt: at(1),
			Items: []engine.Item{{Event: flow.Failed, Subject: "f/a@p", Flow: "f", Task: "a", Run: 3, At: at(1), Causes: []string{"g/a@p"}}},
		}
	}
	one, two, three := alert(1, "a"), alert(2, "b"), alert(3, "c")
	sent, waiting, later := delivery(1, 1), delivery(2, 1, 2), delivery(3, 3)
	quiet := engine.Silence{ID: 1, Target: "f/a", Why: "known", By: "alice", At: at(0), Until: at(5)}
	stand := engine.Override{ID: 1, Team: "data", Person: "bob", From: at(2), To: at(5), Why: "a wedding", By: "alice", At: at(0)}
	subs := []engine.Subscription{{Target: "f", Person: "alice", At: at(0), By: "alice"}, {Target: "f/a", Person: "bob", At: at(0), By: "admin"}}
	w.commit(engine.Changes{
		Alerts: []engine.Alert{one, two, three}, Deliveries: []engine.Delivery{sent, waiting, later},
		Silences: []engine.Silence{quiet}, Overrides: []engine.Override{stand}, Subscriptions: append(subs, engine.Subscription{Target: "f/b", Person: "bob"}),
	})
	three.Closed, three.Why = at(4), "it recovered"
	two.Acked, two.AckedBy = at(4), "alice"
	sent.State, sent.Done, sent.NextAt, sent.Receipt = engine.DeliveryDelivered, at(4), 0, "r-1"
	again := delivery(4, 1)
	again.Key = waiting.Key
	w.commit(engine.Changes{
		Alerts: []engine.Alert{three, two}, Deliveries: []engine.Delivery{sent, again},
		Subscriptions: []engine.Subscription{{Target: "f/b", Person: "bob", Removed: true}, {Target: "f", Person: "alice", By: "carol"}},
	})
	w.restart()
	w.equal("what alerting is rebuilt from", w.load().Outbox, engine.Outbox{
		Alerts: []engine.Alert{one, two}, Deliveries: []engine.Delivery{waiting, later}, Silences: []engine.Silence{quiet}, Subscriptions: subs,
		Overrides: []engine.Override{stand}, LastAlert: 3, LastDelivery: 3, LastSilence: 1, LastOverride: 1,
	})
	for _, c := range []struct {
		q    engine.AlertQuery
		want []engine.Alert
	}{
		{engine.AlertQuery{}, []engine.Alert{three, two, one}},
		{engine.AlertQuery{Limit: 2}, []engine.Alert{three, two}},
		{engine.AlertQuery{Open: true}, []engine.Alert{one}},
		{engine.AlertQuery{Flow: "f", Task: "b"}, []engine.Alert{two}},
		{engine.AlertQuery{Flow: "g"}, nil},
	} {
		got, next, err := w.Alerts(w.ctx, c.q)
		w.must(err)
		w.equal("alerts", got, c.want)
		if (next != "") != (c.q.Limit == 2) {
			w.Errorf("alerts of %+v go on at %q", c.q, next)
		}
	}
	for _, c := range []struct {
		q    engine.DeliveryQuery
		want []engine.Delivery
	}{
		{engine.DeliveryQuery{}, []engine.Delivery{later, waiting, sent}},
		{engine.DeliveryQuery{Alert: 1}, []engine.Delivery{waiting, sent}},
		{engine.DeliveryQuery{Alert: 1, State: engine.DeliveryDelivered}, []engine.Delivery{sent}},
		{engine.DeliveryQuery{Alert: 2, Limit: 1}, []engine.Delivery{waiting}},
	} {
		got, _, err := w.Deliveries(w.ctx, c.q)
		w.must(err)
		w.equal("deliveries", got, c.want)
	}
	second, err := w.Delivery(w.ctx, 2)
	w.must(err)
	w.equal("a delivery", *second, waiting)
	_, err = w.Delivery(w.ctx, 9)
	w.code("a delivery that does not exist", err, engine.NotFound)
	_, _, err = w.Deliveries(w.ctx, engine.DeliveryQuery{State: "lost"})
	w.code("a state that does not exist", err, engine.Invalid)
	silences, err := w.Silences(w.ctx, at(4))
	w.must(err)
	w.equal("silences", silences, []engine.Silence{quiet})
	silences, err = w.Silences(w.ctx, at(5))
	w.must(err)
	w.equal("silences", silences, []engine.Silence(nil))
	for after, want := range map[int][]engine.Override{4: {stand}, 5: nil} {
		overrides, err := w.Overrides(w.ctx, at(after))
		w.must(err)
		w.equal("overrides", overrides, want)
	}
	stand.To = at(3)
	w.commit(engine.Changes{Overrides: []engine.Override{stand}})
	overrides, err := w.Overrides(w.ctx, at(2))
	w.must(err)
	w.equal("an override that was ended", overrides, []engine.Override{stand})
	got, err := w.Subscriptions(w.ctx)
	w.must(err)
	w.equal("subscriptions", got, subs)
}

func testHappened(w *world) {
	w.commit(engine.Changes{Events: []engine.Event{{Key: "a"}, {Key: "b/1"}}})
	got, err := w.Happened(w.ctx, []string{"b/1", "c", "a", "a"})
	w.must(err)
	w.equal("what happened", got, []bool{true, false, true, true})
	got, err = w.Happened(w.ctx, nil)
	w.must(err)
	w.equal("what happened of nothing", got, []bool(nil))
}
