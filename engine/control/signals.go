package control

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/core"
)

const (
	// shown is how many periods of a signal are listed.
	shown = 10
	// mostSet is how many periods one request may set: more than a year of hours.
	mostSet = 10_000
)

// Signals implements engine.Service.
func (s *Service) Signals(ctx context.Context, name string, p engine.Page) (*engine.List[engine.SignalView], error) {
	rev, err := s.project(ctx)
	if err != nil {
		return nil, err
	}
	var all []*flow.Signal
	for _, k := range slices.Sorted(maps.Keys(rev.Project.Signals)) {
		if name == "" || k == name {
			all = append(all, rev.Project.Signals[k])
		}
	}
	if name != "" && len(all) == 0 {
		return nil, noSignal(name)
	}
	part := page(all, func(x *flow.Signal) string { return x.Name }, p)
	l := &engine.List[engine.SignalView]{Items: []engine.SignalView{}, Next: part.Next}
	for _, x := range part.Items {
		v, err := s.signalView(ctx, x)
		if err != nil {
			return nil, err
		}
		l.Items = append(l.Items, *v)
	}
	return l, nil
}

func (s *Service) signalView(ctx context.Context, x *flow.Signal) (*engine.SignalView, error) {
	rows, err := s.Store.Signals(ctx, x.Name, shown)
	if err != nil {
		return nil, err
	}
	v := &engine.SignalView{
		Name: x.Name, Schedule: x.Schedule.String(), Teams: x.Teams, Set: make([]engine.SetPeriodView, len(rows)),
		File: x.Pos.File, Line: x.Pos.Line,
	}
	for i, r := range rows {
		v.Set[i] = engine.SetPeriodView{
			Period: r.Label, PeriodStart: r.Start.Time(), PeriodEnd: r.End.Time(), At: r.At.Time(), By: r.By,
		}
	}
	return v, nil
}

// SetSignal implements engine.Service.
func (s *Service) SetSignal(ctx context.Context, r engine.SignalRequest) (*engine.SignalView, error) {
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	var signal *flow.Signal
	_, err = l.prepare(ctx, func() (core.Event, error) {
		if rev := l.machine.Active(); rev != nil {
			signal = rev.Project.Signals[r.Signal]
		}
		if signal == nil {
			return nil, noSignal(r.Signal)
		}
		ev := core.SetSignal{By: s.Caller(ctx), Signal: r.Signal, Unset: r.Unset}
		var err error
		if ev.Periods, err = announced(signal.Schedule, r.Period); err != nil {
			return nil, &engine.Error{Code: engine.Invalid, Field: "period", Message: fmt.Sprintf("signal %s: %v", r.Signal, err)}
		}
		keys := make([]engine.LedgerKey, len(ev.Periods))
		for i, p := range ev.Periods {
			keys[i] = engine.LedgerKey{Signal: r.Signal, Start: p.Start}
		}
		found, err := s.Store.Outcomes(ctx, keys)
		if err != nil {
			return nil, err
		}
		for _, a := range found {
			ev.IsSet = append(ev.IsSet, a.Found)
		}
		return ev, nil
	})
	if err != nil {
		return nil, err
	}
	return s.signalView(ctx, signal)
}

func noSignal(name string) error {
	return engine.Errorf(engine.NotFound, "no signal %s in the active revision: see flowctl get signals", name)
}

// announced returns the periods that a text names: one, those that begin on a date, or those of a range.
func announced(s *period.Schedule, text string) ([]period.Period, error) {
	from, to, isRange := strings.Cut(text, "..")
	if !isRange {
		return s.Parse(text)
	}
	first, last, err := s.Range(from, to)
	if err != nil {
		return nil, err
	}
	var ps []period.Period
	for p := range s.StartingIn(first, last) {
		if len(ps) == mostSet {
			return nil, fmt.Errorf("%s are more than %d periods: name fewer at once", text, mostSet)
		}
		ps = append(ps, p)
	}
	if len(ps) == 0 {
		return nil, fmt.Errorf("no period begins in %s", text)
	}
	return ps, nil
}
