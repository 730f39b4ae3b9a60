package control

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/core"
	"flowctl/engine/gate"
	"flowctl/engine/logs"
)

// Trust decides which agents are let in.
type Trust interface {
	Token(ctx context.Context, ttl time.Duration, by string, grant engine.Grant) (*engine.AgentToken, error)
	Revoke(ctx context.Context, agent string) error
}

// Service answers people and programs over the loop and the store. It is safe for concurrent use.
type Service struct {
	Store    engine.Store
	Follower *Follower
	Output   *logs.Logs
	KeepLogs time.Duration // how long a log stays after its attempt ended; 0 = for ever
	Trust    Trust
	Local    string                       // the agent within this server, which cannot be revoked
	Gates    gate.Secret                  // of the tokens of quality gates
	Caller   func(context.Context) string // who asks
	Key      []byte                       // signs the links that acknowledge alerts
	Now      func() time.Time

	loop    atomic.Pointer[Loop]
	commits sync.Map // RevisionID -> commit hash
}

// Serve makes a loop the one that the service asks; nil = none at present.
func (s *Service) Serve(l *Loop) { s.loop.Store(l) }

func (s *Service) lead() (*Loop, error) {
	if l := s.loop.Load(); l != nil {
		return l, nil
	}
	return nil, errStopping
}

// Ready says why the service cannot do its work yet; nil = it can.
func (s *Service) Ready(ctx context.Context) error {
	if _, err := s.project(ctx); err != nil {
		return err
	}
	return nil
}

// project returns the active revision.
func (s *Service) project(ctx context.Context) (*core.Revision, error) {
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	var rev *core.Revision
	if err := l.Query(ctx, func(m *core.Machine) { rev = m.Active() }); err != nil {
		return nil, err
	}
	if rev == nil {
		return nil, engine.Errorf(engine.Unavailable, "no revision is active yet: see flowctl revisions")
	}
	return rev, nil
}

// commit returns the commit of a revision; empty when it cannot be read.
func (s *Service) commit(ctx context.Context, id engine.RevisionID) string {
	if c, ok := s.commits.Load(id); ok {
		return c.(string)
	}
	r, err := s.Store.Revision(ctx, id)
	if err != nil {
		return ""
	}
	s.commits.Store(id, r.Commit)
	return r.Commit
}

// Sync implements engine.Service.
func (s *Service) Sync(ctx context.Context) (*engine.RevisionView, error) {
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	r, err := s.Follower.Sync(ctx, l)
	if err != nil {
		return nil, err
	}
	v := revisionView(r, 0)
	if rev, err := s.project(ctx); err == nil && rev.ID == r.ID {
		v.Flows = len(rev.Project.Flows)
	}
	return &v, nil
}

// Revisions implements engine.Service.
func (s *Service) Revisions(ctx context.Context, p engine.Page) (*engine.List[engine.RevisionView], error) {
	before, err := number(p.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.Revisions(ctx, engine.RevisionID(before), limit(p)+1)
	if err != nil {
		return nil, err
	}
	l := &engine.List[engine.RevisionView]{Items: []engine.RevisionView{}}
	if len(rows) > limit(p) {
		rows = rows[:limit(p)]
		l.Next = itoa(int(rows[len(rows)-1].ID))
	}
	for i := range rows {
		flows := 0
		if rev, err := s.project(ctx); err == nil && rev.ID == rows[i].ID {
			flows = len(rev.Project.Flows)
		}
		l.Items = append(l.Items, revisionView(&rows[i], flows))
	}
	return l, nil
}

// Flows implements engine.Service.
func (s *Service) Flows(ctx context.Context, p engine.Page) (*engine.List[engine.FlowView], error) {
	rev, err := s.project(ctx)
	if err != nil {
		return nil, err
	}
	part := page(rev.Project.Flows, func(f *flow.Flow) string { return f.Name }, p)
	cursors, err := s.cursors(ctx, part.Items)
	if err != nil {
		return nil, err
	}
	paused, err := s.Store.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	l := &engine.List[engine.FlowView]{Items: []engine.FlowView{}, Next: part.Next}
	for i, f := range part.Items {
		l.Items = append(l.Items, flowView(f, cursors[i], paused))
	}
	return l, nil
}

// cursors returns up to when the periods of flows have been generated.
func (s *Service) cursors(ctx context.Context, fs []*flow.Flow) ([]period.Instant, error) {
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	cursors := make([]period.Instant, len(fs))
	err = l.Query(ctx, func(m *core.Machine) {
		for i, f := range fs {
			cursors[i] = m.Cursor(f.Name)
		}
	})
	return cursors, err
}

// Flow implements engine.Service.
func (s *Service) Flow(ctx context.Context, name string) (*engine.FlowView, error) {
	f, err := s.flow(ctx, name)
	if err != nil {
		return nil, err
	}
	cursors, err := s.cursors(ctx, []*flow.Flow{f})
	if err != nil {
		return nil, err
	}
	paused, err := s.Store.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	v := flowView(f, cursors[0], paused)
	return &v, nil
}

func (s *Service) flow(ctx context.Context, name string) (*flow.Flow, error) {
	rev, err := s.project(ctx)
	if err != nil {
		return nil, err
	}
	f := rev.Project.Flow(name)
	if f == nil {
		return nil, engine.Errorf(engine.NotFound, "no flow %s in the active revision: see flowctl get flows", name)
	}
	return f, nil
}

// Tasks implements engine.Service.
func (s *Service) Tasks(ctx context.Context, name string, p engine.Page) (*engine.List[engine.TaskView], error) {
	rev, err := s.project(ctx)
	if err != nil {
		return nil, err
	}
	flows := rev.Project.Flows
	if name != "" {
		f, err := s.flow(ctx, name)
		if err != nil {
			return nil, err
		}
		flows = []*flow.Flow{f}
	}
	paused, err := s.Store.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	all := []engine.TaskView{}
	for _, f := range flows {
		for _, t := range f.Tasks {
			all = append(all, taskView(f, t, paused))
		}
	}
	// The order is that of needs, so a page is found by the place of the cursor, not by its name.
	from := 0
	for i := range all {
		if p.Cursor != "" && all[i].ID == p.Cursor {
			from = i + 1
		}
	}
	to := min(len(all), from+limit(p))
	l := &engine.List[engine.TaskView]{Items: all[from:to]}
	if to < len(all) {
		l.Next = all[to-1].ID
	}
	return l, s.addPaces(ctx, l.Items)
}

// addPaces says how long tasks take.
func (s *Service) addPaces(ctx context.Context, ts []engine.TaskView) error {
	l, err := s.lead()
	if err != nil {
		return err
	}
	return l.Query(ctx, func(m *core.Machine) {
		for i := range ts {
			p := m.Pace(ts[i].Flow, ts[i].Name)
			ts[i].MeanS, ts[i].DeviationS, ts[i].Samples = float64(p.Mean)/1e6, float64(p.Deviation)/1e6, p.Count
		}
	})
}

// number reads a cursor that is a number; empty = 0.
func number(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil {
		return 0, &engine.Error{Code: engine.Invalid, Field: "cursor", Message: "cursor " + strconv.Quote(cursor) + " is not one that this server gave"}
	}
	return n, nil
}

func itoa(n int) string { return strconv.Itoa(n) }
