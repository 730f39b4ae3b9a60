package control

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/core"
)

// previewed is how many periods a preview decides on; the total counts all.
const previewed = 10_000

// request checks a backfill and returns its row, with the revision it is fixed to.
func (s *Service) request(ctx context.Context, r engine.BackfillRequest) (engine.BackfillRow, *core.Revision, error) {
	row := engine.BackfillRow{
		From: r.From, To: cmp.Or(r.To, r.From), MaxActive: r.MaxActive, MissingUpstream: cmp.Or(r.MissingUpstream, "wait"),
		Reprocess: cmp.Or(r.Reprocess, "missing"), By: s.Caller(ctx),
	}
	if r.From == "" {
		return row, nil, &engine.Error{Code: engine.Invalid, Field: "from", Message: "a backfill needs a range: --from and --to"}
	}
	rev, err := s.project(ctx)
	if err != nil {
		return row, nil, err
	}
	flows, err := choose(rev.Project, r)
	if err != nil {
		return row, nil, err
	}
	for _, f := range flows {
		from, to, err := f.Schedule.Range(row.From, row.To)
		if err != nil {
			return row, nil, &engine.Error{Code: engine.Invalid, Field: "from", Message: fmt.Sprintf("flow %s: %v", f.Name, err)}
		}
		if from >= to {
			return row, nil, &engine.Error{Code: engine.Invalid, Field: "to", Message: fmt.Sprintf("the range %s..%s ends before it begins", row.From, row.To)}
		}
		now := period.At(s.Now())
		for p := range f.Schedule.StartingIn(from, to) {
			if p.End > now {
				return row, nil, &engine.Error{Code: engine.Invalid, Field: "to", Message: fmt.Sprintf(
					"period %s of %s has not ended yet: let the range end before it", f.Schedule.Label(p), f.Name)}
			}
			row.Total++
		}
		row.Flows = append(row.Flows, f.Name)
	}
	if row.Total == 0 {
		return row, nil, engine.Errorf(engine.Invalid, "no period begins in %s..%s", row.From, row.To)
	}
	return row, rev, nil
}

// choose returns the flows that a backfill is for, sorted by name.
func choose(p *flow.Project, r engine.BackfillRequest) ([]*flow.Flow, error) {
	var chosen []*flow.Flow
	for _, name := range r.Flows {
		f := p.Flow(name)
		switch {
		case f == nil:
			return nil, engine.Errorf(engine.NotFound, "no flow %s in the active revision: see flowctl get flows", name)
		case f.Schedule.Kind() == period.Demand:
			return nil, engine.Errorf(engine.Invalid, "flow %s runs on demand and has no periods: use flowctl run %s", name, name)
		}
		chosen = append(chosen, f)
	}
	if len(r.Flows) == 0 && r.Group == "" && r.Every == "" && !r.All {
		return nil, engine.Errorf(engine.Invalid, "say which flows: names, --group, --every or --all")
	}
	if r.Group != "" || r.Every != "" || r.All {
		for _, f := range p.Flows {
			kind := f.Schedule.Kind()
			if f.Enabled && kind != period.Demand && (r.Group == "" || f.Group == r.Group) && (r.Every == "" || kind.String() == r.Every) {
				chosen = append(chosen, f)
			}
		}
	}
	chosen, err := downstreamFlows(p, chosen, r.Cascade)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(chosen, func(a, b *flow.Flow) int { return cmp.Compare(a.Name, b.Name) })
	chosen = slices.Compact(chosen)
	if len(chosen) == 0 {
		return nil, engine.Errorf(engine.NotFound, "no enabled flow with a schedule matches")
	}
	return chosen, nil
}

// downstreamFlows adds the enabled flows with a schedule that depend on some flows, directly or not.
func downstreamFlows(p *flow.Project, chosen []*flow.Flow, cascade string) ([]*flow.Flow, error) {
	logical, data, err := cascades(cascade)
	if err != nil {
		return nil, err
	}
	needed := map[string]bool{}
	for _, f := range chosen {
		needed[f.Name] = true
	}
	depends := func(f *flow.Flow, t *flow.Task) bool {
		return logical && slices.ContainsFunc(t.Needs, func(n flow.Need) bool { return needed[n.Flow] }) ||
			data && slices.ContainsFunc(p.Writers(flow.TaskRef{Flow: f.Name, Task: t.Name}), func(e flow.DataEdge) bool { return needed[e.From.Flow] })
	}
	for grew := logical || data; grew; {
		grew = false
		for _, f := range p.Flows {
			if needed[f.Name] || !f.Enabled || f.Schedule.Kind() == period.Demand {
				continue
			}
			if slices.ContainsFunc(f.Tasks, func(t *flow.Task) bool { return depends(f, t) }) {
				needed[f.Name], grew = true, true
				chosen = append(chosen, f)
			}
		}
	}
	return chosen, nil
}

// cascades reads along which dependencies something spreads.
func cascades(s string) (logical, data bool, err error) {
	switch s {
	case "", "none":
		return false, false, nil
	case "logical", "data", "both":
		return s != "data", s != "logical", nil
	}
	return false, false, &engine.Error{Code: engine.Invalid, Field: "cascade", Message: "cascade is none, logical, data or both"}
}

// StartBackfill implements engine.Service.
func (s *Service) StartBackfill(ctx context.Context, r engine.BackfillRequest) (*engine.BackfillView, error) {
	row, rev, err := s.request(ctx, r)
	if err != nil {
		return nil, err
	}
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	id, err := l.Do(ctx, core.StartBackfill{Row: row, Revision: rev})
	if err != nil {
		return nil, err
	}
	return s.Backfill(ctx, id.(engine.BackfillID))
}

// PreviewBackfill implements engine.Service.
func (s *Service) PreviewBackfill(ctx context.Context, r engine.BackfillRequest) (*engine.BackfillPreview, error) {
	row, rev, err := s.request(ctx, r)
	if err != nil {
		return nil, err
	}
	p := &preview{service: s, rev: rev, row: row, planned: map[engine.RunKey]bool{}, missing: map[string]bool{}}
	p.out = engine.BackfillPreview{Items: []engine.BackfillDecision{}, Missing: []string{}}
	for c, err := range core.Candidates(rev, row) {
		if err != nil {
			return nil, err
		}
		if p.batch = append(p.batch, c); len(p.batch) == 500 {
			if err := p.decide(ctx); err != nil {
				return nil, err
			}
		}
		if len(p.out.Items) >= previewed {
			p.out.Total += row.Total - len(p.out.Items) // at most: what exists of these is not known
			break
		}
	}
	if err := p.decide(ctx); err != nil {
		return nil, err
	}
	return &p.out, nil
}

// preview decides on the periods of a backfill without making it.
type preview struct {
	service *Service
	rev     *core.Revision
	row     engine.BackfillRow
	batch   []core.Candidate
	planned map[engine.RunKey]bool
	missing map[string]bool
	out     engine.BackfillPreview
}

func (p *preview) decide(ctx context.Context) error {
	keys := make([]engine.RunKey, len(p.batch))
	for i, c := range p.batch {
		keys[i] = engine.RunKey{Flow: c.Flow.Name, Start: c.Period.Start}
	}
	found, err := p.service.Store.Existing(ctx, keys)
	if err != nil {
		return err
	}
	for i, c := range p.batch {
		had, err := p.former(ctx, c)
		if err != nil {
			return err
		}
		d := core.Decide(core.Former(found[i], had), false, p.row.Reprocess)
		action := "leave"
		if d.Create {
			action = "create"
			p.out.Total++
			p.planned[keys[i]] = true
		}
		p.out.Items = append(p.out.Items, engine.BackfillDecision{
			Run: c.Flow.Name + "@" + c.Flow.Schedule.Label(c.Period), Action: action, Reason: d.Reason,
		})
		if d.Create {
			if err := p.lacks(ctx, c); err != nil {
				return err
			}
		}
	}
	p.batch = p.batch[:0]
	return nil
}

// former returns what runs a period has under the names that its flow had.
func (p *preview) former(ctx context.Context, c core.Candidate) ([]engine.Existing, error) {
	var keys []engine.RunKey
	for _, name := range core.FormerFlows(c.Flow) {
		keys = append(keys, engine.RunKey{Flow: name, Start: c.Period.Start})
	}
	if len(keys) == 0 {
		return nil, nil
	}
	return p.service.Store.Existing(ctx, keys)
}

// lacks notes the needs of a run on periods that have no run and get none, and on periods of signals that are not set.
func (p *preview) lacks(ctx context.Context, c core.Candidate) error {
	for _, t := range c.Flow.Tasks {
		for _, name := range t.Signals {
			if err := p.unset(ctx, p.rev.Project.Signals[name], c); err != nil {
				return err
			}
		}
		for i := range t.Needs {
			n := &t.Needs[i]
			up := p.rev.Project.Flow(n.Flow)
			if n.Local >= 0 || n.Rule.Kind == period.Latest || up.Schedule.Kind() == period.Demand {
				continue
			}
			for _, need := range period.Join(up.Schedule, c.Flow.Schedule, c.Period, n.Rule) {
				if err := p.lack(ctx, up, n.Task, need); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (p *preview) lack(ctx context.Context, up *flow.Flow, task string, need period.Period) error {
	key := engine.RunKey{Flow: up.Name, Start: need.Start}
	name := up.Name + "/" + task + "@" + up.Schedule.Label(need)
	if p.planned[key] || p.missing[name] {
		return nil
	}
	keys := []engine.RunKey{key}
	for _, id := range up.Task(task).Formerly {
		former, _, _ := strings.Cut(id, "/")
		keys = append(keys, engine.RunKey{Flow: former, Start: need.Start})
	}
	found, err := p.service.Store.Existing(ctx, keys)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(found, func(e engine.Existing) bool { return e.Run != 0 }) {
		p.missing[name] = true
		p.out.Missing = append(p.out.Missing, name)
	}
	return nil
}

func (p *preview) unset(ctx context.Context, signal *flow.Signal, c core.Candidate) error {
	for _, need := range period.Join(signal.Schedule, c.Flow.Schedule, c.Period, period.Rule{}) {
		name := "signal " + signal.Name + "@" + signal.Schedule.Label(need)
		if p.missing[name] {
			continue
		}
		found, err := p.service.Store.Outcomes(ctx, []engine.LedgerKey{{Signal: signal.Name, Start: need.Start}})
		if err != nil {
			return err
		}
		if !found[0].Found {
			p.missing[name] = true
			p.out.Missing = append(p.out.Missing, name)
		}
	}
	return nil
}

// Backfills implements engine.Service.
func (s *Service) Backfills(ctx context.Context, p engine.Page) (*engine.List[engine.BackfillView], error) {
	before, err := number(p.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.Backfills(ctx)
	if err != nil {
		return nil, err
	}
	l := &engine.List[engine.BackfillView]{Items: []engine.BackfillView{}}
	for i := range rows {
		if before != 0 && int64(rows[i].ID) >= before {
			continue
		}
		if len(l.Items) == limit(p) {
			l.Next = itoa(int(l.Items[len(l.Items)-1].ID))
			break
		}
		l.Items = append(l.Items, backfillView(&rows[i]))
	}
	return l, nil
}

// Backfill implements engine.Service.
func (s *Service) Backfill(ctx context.Context, id engine.BackfillID) (*engine.BackfillView, error) {
	rows, err := s.Store.Backfills(ctx)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if rows[i].ID == id {
			v := backfillView(&rows[i])
			return &v, nil
		}
	}
	return nil, engine.Errorf(engine.NotFound, "no backfill %d: see flowctl get backfills", id)
}

// ControlBackfill implements engine.Service.
func (s *Service) ControlBackfill(ctx context.Context, id engine.BackfillID, verb string) (*engine.BackfillView, error) {
	if _, err := s.Backfill(ctx, id); err != nil {
		return nil, err
	}
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	if _, err := l.Do(ctx, core.ControlBackfill{By: s.Caller(ctx), ID: id, Verb: verb}); err != nil {
		return nil, err
	}
	return s.Backfill(ctx, id)
}

// WatchBackfill implements engine.Service.
func (s *Service) WatchBackfill(ctx context.Context, id engine.BackfillID, f func(engine.BackfillView) error) error {
	l, err := s.lead()
	if err != nil {
		return err
	}
	changed, stop := l.watchers.backfill(id)
	defer stop()
	return s.follow(ctx, l, changed, func() (bool, error) {
		v, err := s.Backfill(ctx, id)
		if err != nil {
			return false, err
		}
		return v.FinishedAt != nil, f(*v)
	})
}
