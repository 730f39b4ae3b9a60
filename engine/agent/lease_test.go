package agent

import (
	"testing"
	"time"

	"flowctl/engine"
	"flowctl/plugins/sdk"
)

func leased(id engine.AttemptID, lease time.Duration) *engine.Assignment {
	as := assignment(id)
	as.Lease = lease.Microseconds()
	return as
}

func TestALeaseIsGrantedAndRenewed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, stop := r.connected("one")
	before := sdk.SinceBoot()
	const lease = time.Hour
	r.hub.Assign("one", []*engine.Assignment{leased(1, lease), assignment(2)})
	p, q := r.started(), r.started()
	if p.spec.Attempt != "1" {
		p, q = q, p
	}
	if end := p.spec.Lease; end < before+lease || end > sdk.SinceBoot()+lease {
		t.Errorf("the lease ends at %v, and began after %v", end, before)
	}
	if q.spec.Lease != 0 {
		t.Errorf("an attempt without a lease has one until %v", q.spec.Lease)
	}
	next[engine.Report](t, r.events)
	next[engine.Report](t, r.events)
	last := r.renewal(p)

	if err := stop(); err != nil { // the next agent knows of the lease from the attempt's folder
		t.Fatal(err)
	}
	next[lost](t, r.events)
	r.connected("one")
	if again := r.renewal(p); again <= last || again > sdk.SinceBoot()+lease {
		t.Errorf("the new agent renewed until %v, the old one until %v", again, last)
	}

	last = sdk.SinceBoot() + lease
	r.close() // so does each new stream
	next[lost](t, r.events)
	r.serve(r.addr)
	next[joined](t, r.events)
	if again := r.renewal(p); again < last {
		t.Errorf("renewed until %v, in the stream before until %v", again, last)
	}
	p.exit(success)
	q.exit(success)
	next[engine.Report](t, r.events)
	next[engine.Report](t, r.events)
	if len(q.renewals) > 0 {
		t.Error("an attempt without a lease was renewed")
	}
}

// renewal waits for the next end that an attempt's lease is given.
func (r *rig) renewal(p *played) time.Duration {
	r.t.Helper()
	select {
	case end := <-p.renewals:
		return end
	case <-time.After(30 * time.Second):
		r.t.Fatal("the lease was not renewed")
		return 0
	}
}

func TestALeaseIsRenewedEverySoOften(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connected("one")
	const lease = 2 * time.Second
	r.hub.Assign("one", []*engine.Assignment{leased(1, lease)})
	p := r.started()
	nextReport(t, r.events, 1, engine.ReportStarted)
	last := r.renewal(p)
	for range 3 {
		again := r.renewal(p)
		if again <= last || again-last > lease {
			t.Errorf("renewed until %v after %v", again, last)
		}
		last = again
	}
	p.exit(success)
	nextReport(t, r.events, 1, engine.ReportFinished)
}

// TestWithoutWordNothingStarts: an attempt with a lease that the server sends starts only after the server was asked once more.
func TestWithoutWordNothingStarts(t *testing.T) {
	t.Parallel()
	s := &session{out: newOutbox(), gone: make(chan struct{}), grants: make(chan struct{})}
	a := &Agent{}
	got := make(chan error)
	go func() {
		_, err := a.grant(s)
		got <- err
	}()
	<-s.out.ready
	asked := time.Duration(s.out.take().Renew)
	a.renewed(s, asked-1) // the answer to an earlier question
	select {
	case err := <-got:
		t.Fatalf("an old answer was taken for the new one: %v", err)
	default:
	}
	a.renewed(s, asked)
	if err := <-got; err != nil {
		t.Errorf("the answer was not taken: %v", err)
	}
	go func() {
		_, err := a.grant(s)
		got <- err
	}()
	<-s.out.ready
	close(s.gone)
	if err := <-got; err == nil {
		t.Error("word was taken from a session that ended")
	}
}
