package agent

import (
	"strings"
	"testing"

	"flowctl/engine"
)

// TestAFullMachineGivesAttemptsBack asks for more memory than there is, so that the real machine is always full.
func TestAFullMachineGivesAttemptsBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o := r.options("one")
	o.Token, o.Admission.MinFreeMemory = r.token(), 1<<60
	r.run(o)
	if h := next[joined](t, r.events).hello; !strings.Contains(h.Beat.Full, "memory are free, less than") {
		t.Errorf("it says at once: %q", h.Beat.Full)
	}
	r.hub.Assign("one", []*engine.Assignment{assignment(1)})
	if got := nextReport(t, r.events, 1, engine.ReportRefused); !got.Full || !strings.Contains(got.Message, "memory are free") {
		t.Errorf("given back as %+v", got)
	}
	if len(r.plugin.starts) != 0 {
		t.Error("it was started")
	}
}
