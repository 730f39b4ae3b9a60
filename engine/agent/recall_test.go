package agent

import (
	"context"
	"testing"

	"flowctl/engine"
	"flowctl/plugins/sdk"
)

// stuck is a sensor that answers when it is let go.
type stuck struct {
	asked chan struct{}
	free  chan struct{}
}

func (s stuck) Check(_ context.Context, _ string, paths []string) ([]sdk.PathState, error) {
	s.asked <- struct{}{}
	<-s.free
	states := make([]sdk.PathState, len(paths))
	for i := range states {
		states[i].Exists = true
	}
	return states, nil
}

// TestARecalledAttemptNeverStarts recalls an attempt in the middle of its preparation, one that runs, and one that nobody knows.
func TestARecalledAttemptNeverStarts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := stuck{make(chan struct{}), make(chan struct{})}
	r.plugin.files = s
	r.connected("one")
	slow := assignment(1)
	slow.Inputs = []string{"/in"}
	r.hub.Assign("one", []*engine.Assignment{slow})
	<-s.asked
	r.hub.Recall("one", []engine.AttemptID{1})
	if report := nextReport(t, r.events, 1, engine.ReportRefused); report.Message == "" {
		t.Error("it is given back without a word")
	}
	close(s.free)

	r.hub.Assign("one", []*engine.Assignment{assignment(2)})
	if p := r.started(); p.spec.Attempt != "2" {
		t.Fatalf("attempt %s was started", p.spec.Attempt)
	}
	nextReport(t, r.events, 2, engine.ReportStarted)
	r.hub.Recall("one", []engine.AttemptID{2, 3})
	nextReport(t, r.events, 2, engine.ReportStarted)
	nextReport(t, r.events, 3, engine.ReportUnknown)
	if len(r.plugin.starts) > 0 {
		t.Error("the attempt that was given back started after all")
	}
}
