package storetest

import (
	"strconv"

	"flowctl/engine"
)

func signal(hour int, by string) engine.SignalRow {
	return engine.SignalRow{Signal: "crm", Start: at(hour), End: at(hour + 1), Label: strconv.Itoa(hour), At: at(100), By: by}
}

func testSignals(w *world) {
	unset := func(hour int) engine.SignalRow {
		s := signal(hour, "bob")
		s.Unset = true
		return s
	}
	other := signal(1, "eve")
	other.Signal = "erp"
	w.commit(engine.Changes{Signals: []engine.SignalRow{signal(1, "ann"), signal(3, "ann"), signal(2, "ann"), other}})
	w.commit(engine.Changes{Signals: []engine.SignalRow{unset(3), unset(4), unset(2), signal(2, "bob"), signal(5, "ann"), unset(5)}})
	w.restart()
	got, err := w.Signals(w.ctx, "crm", 10)
	w.must(err)
	w.equal("signals", got, []engine.SignalRow{signal(2, "bob"), signal(1, "ann")})
	got, err = w.Signals(w.ctx, "crm", 1)
	w.must(err)
	w.equal("the newest", got, []engine.SignalRow{signal(2, "bob")})
	got, err = w.Signals(w.ctx, "none", 1)
	w.must(err)
	w.equal("none", len(got), 0)

	var keys []engine.LedgerKey
	for hour := range 6 {
		keys = append(keys, engine.LedgerKey{Signal: "crm", Start: at(hour)})
	}
	keys = append(keys, engine.LedgerKey{Flow: "crm", Start: at(1)}, engine.LedgerKey{Signal: "erp", Start: at(1)})
	answers, err := w.Outcomes(w.ctx, keys)
	w.must(err)
	var found []bool
	for i, a := range answers {
		found = append(found, a.Found)
		if a.Found && (a.Outcome.State != engine.Succeeded || a.Outcome.Start != keys[i].Start) {
			w.Errorf("%+v: %+v", keys[i], a)
		}
	}
	w.equal("set", found, []bool{false, true, true, false, false, false, false, true})
}
