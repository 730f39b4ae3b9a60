package agent

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"flowctl/engine"
	"flowctl/engine/wire"
	"flowctl/plugins/sdk"
)

// TestCertificatesAreRenewedUnderARunningAttempt lets a certificate that lives for seconds be renewed several times, over the connection whose own
// certificate ends meanwhile.
func TestCertificatesAreRenewedUnderARunningAttempt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.close()
	r.life = 3 * time.Second
	r.store.puts = make(chan engine.Agent, 100)
	r.serve("127.0.0.1:0")
	a, _ := r.connected("one")
	first, err := readIdentity(a.opts.Dir) // which may be the second already
	if err != nil {
		t.Fatal(err)
	}
	r.hub.Assign("one", []*engine.Assignment{assignment(1)})
	p := r.started()
	nextReport(t, r.events, 1, engine.ReportStarted)

	for late := time.After(30 * time.Second); ; {
		var row engine.Agent
		select {
		case row = <-r.store.puts:
		case <-late:
			t.Fatal("the certificate was not renewed")
		}
		if row.Fingerprint != wire.Fingerprint(first.cert.Leaf.RawSubjectPublicKeyInfo) {
			t.Fatal("the key is another one")
		}
		if row.CertificateEnds.Sub(first.cert.Leaf.NotAfter) > r.life { // so the renewal was made when the first had ended
			break
		}
	}
	if info, err := os.Stat(identityPath(a.opts.Dir)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("identity: %v, %v", info, err)
	}
	p.exit(sdk.Result{State: sdk.Succeeded})
	nextReport(t, r.events, 1, engine.ReportFinished) // over the first stream: nothing was lost in between
	if id, err := readIdentity(a.opts.Dir); err != nil || !id.cert.Leaf.NotAfter.After(first.cert.Leaf.NotAfter) {
		t.Errorf("stored: %+v, %v", id, err)
	}
}

func TestARevokedAgentEndsAndItsAttemptIsFoundWhenItJoinsAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o := r.options("one")
	o.Token = r.token()
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(t.Context()) }()
	next[joined](t, r.events)
	r.hub.Assign("one", []*engine.Assignment{assignment(1)})
	p := r.started()
	nextReport(t, r.events, 1, engine.ReportStarted)
	if err := r.hub.Revoke(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	next[lost](t, r.events)
	if err := <-ended; !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "revoked") {
		t.Fatalf("it ended with %v", err)
	}
	o.Token = "" // the handshake is refused
	if why := refused(t, o); !strings.Contains(why, "revoked") {
		t.Errorf("refused because %s", why)
	}
	o.Token = r.token()
	r.run(o)
	if h := next[joined](t, r.events).hello; len(h.Attempts) != 1 || h.Attempts[0].Kind != engine.ReportStarted {
		t.Errorf("it holds %+v", h.Attempts)
	}
	p.exit(sdk.Result{State: sdk.Succeeded})
	nextReport(t, r.events, 1, engine.ReportFinished)
}

// TestAnAgentThatWasAwayTooLongJoinsAgain under the name that it had.
func TestAnAgentThatWasAwayTooLongJoinsAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, stop := r.connected("one")
	_ = stop()
	next[lost](t, r.events)
	o := r.options("one")
	o.Now = func() time.Time { return time.Now().Add(31 * 24 * time.Hour) }
	if Expired(o.Dir, time.Now()) || !Expired(o.Dir, o.Now()) {
		t.Error("it is not known when the certificate ends")
	}
	if why := refused(t, o); !strings.Contains(why, "expired") {
		t.Errorf("refused because %s", why)
	}
	o.Name, o.Token = "", r.token()
	o.Now = time.Now
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	id, err := a.identify(t.Context()) // the certificate is still good: the token is kept
	if err != nil || id.name != "one" || len(r.store.tokens) != 1 {
		t.Fatalf("%+v, %v", id, err)
	}
	a.join = joinNow
	if id, err = a.identify(t.Context()); err != nil || id.name != "one" || len(r.store.tokens) != 0 {
		t.Fatalf("joined as %+v, %v", id, err)
	}
}
