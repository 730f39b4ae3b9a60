package storetest

import (
	"slices"
	"strconv"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

func testEvents(w *world) {
	var all []engine.Event
	for i := range 30 {
		all = append(all, engine.Event{
			ID: int64(i + 1), At: at(i), Kind: []flow.Event{flow.Failed, flow.Retrying, flow.AgentLost}[i%3], Flow: []string{"f", "g"}[i%2],
			Task: []string{"a", "b"}[i%4/2], Run: engine.RunID(i % 5), Key: strconv.Itoa(i),
		})
	}
	w.commit(engine.Changes{Events: all[:10]})
	w.commit(engine.Changes{Events: all[10:]})
	for _, q := range []engine.EventQuery{
		{},
		{Flow: "f"},
		{Flow: "g", Task: "b"},
		{Run: 2},
		{Run: 2, Flow: "f", Task: "a", Kind: flow.Failed},
		{Kind: flow.AgentLost},
		{Kind: flow.Failed, Flow: "g"},
		{Flow: "absent"},
	} {
		var want []engine.Event
		for _, e := range slices.Backward(all) {
			if (q.Flow == "" || e.Flow == q.Flow) && (q.Task == "" || e.Task == q.Task) && (q.Run == 0 || e.Run == q.Run) && (q.Kind == "" || e.Kind == q.Kind) {
				want = append(want, e)
			}
		}
		for _, limit := range []int{0, 4} {
			q.Limit, q.Cursor = limit, ""
			var got []engine.Event
			for {
				page, next, err := w.Events(w.ctx, q)
				w.must(err)
				if limit > 0 && len(page) > limit {
					w.Fatalf("%d events on a page of %d", len(page), limit)
				}
				got = append(got, page...)
				if q.Cursor = next; next == "" {
					break
				}
			}
			w.equal("events", got, want)
		}
	}
	_, _, err := w.Events(w.ctx, engine.EventQuery{Cursor: "?"})
	w.code("bad cursor", err, engine.Invalid)
}

func testEventOnce(w *world) {
	w.commit(engine.Changes{Events: []engine.Event{{Key: "k", Detail: "first"}, {Key: "l"}}})
	w.commit(engine.Changes{Events: []engine.Event{{Key: "k", Detail: "again"}}})
	got, _, err := w.Events(w.ctx, engine.EventQuery{})
	w.must(err)
	w.equal("events", got, []engine.Event{{ID: 2, Key: "l"}, {ID: 1, Key: "k", Detail: "first"}})
}

func testOverdueAndAnomalies(w *world) {
	w.commit(engine.Changes{
		Overdue:   []engine.Overdue{{Run: 3, At: at(1)}, {Run: 1, At: at(2)}, {Run: 2, At: at(3)}},
		Anomalies: []engine.Anomaly{{Attempt: 2, Name: "b"}, {Attempt: 1, Name: "a"}},
	})
	w.equal("overdue", w.load().Overdue, []engine.Overdue{{Run: 1, At: at(2)}, {Run: 2, At: at(3)}, {Run: 3, At: at(1)}})
	w.equal("anomalies", w.load().Anomalies, []engine.Anomaly{{Attempt: 1, Name: "a"}, {Attempt: 2, Name: "b"}})
	w.commit(engine.Changes{
		Overdue:   []engine.Overdue{{Run: 1}, {Run: 1, At: at(4)}, {Run: 2}, {Run: 3, At: at(5)}, {Run: 3}}, // a run may be active again and settle in one round
		Anomalies: []engine.Anomaly{{Attempt: 3, Name: "c"}}, NoAnomalies: []engine.AttemptID{1, 3},
	})
	w.equal("overdue", w.load().Overdue, []engine.Overdue{{Run: 1, At: at(4)}})
	w.equal("anomalies", w.load().Anomalies, []engine.Anomaly{{Attempt: 2, Name: "b"}})
}

func testPresences(w *world) {
	w.commit(engine.Changes{Presences: []engine.Presence{{Agent: "b", Lost: at(1)}, {Agent: "c"}, {Agent: "a", Lost: at(2)}}})
	w.commit(engine.Changes{Presences: []engine.Presence{{Agent: "b", Lost: at(1), Told: true}}})
	w.equal("presences", w.load().Presences, []engine.Presence{{Agent: "a", Lost: at(2)}, {Agent: "c"}})
	w.commit(engine.Changes{Presences: []engine.Presence{{Agent: "b"}}})
	w.equal("presences", w.load().Presences, []engine.Presence{{Agent: "a", Lost: at(2)}, {Agent: "b"}, {Agent: "c"}})
}
