package agent

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"flowctl/engine"
	"flowctl/engine/wire"
)

// refused runs an agent that must be turned away, and returns why.
func refused(t *testing.T, o Options) string {
	t.Helper()
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	err = a.Run(t.Context())
	if !errors.Is(err, ErrRefused) {
		t.Fatalf("got %v", err)
	}
	return err.Error()
}

func TestTokenWorksOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token()
	o := r.options("one")
	o.Token = token
	r.run(o)
	next[joined](t, r.events)
	again := r.options("two")
	again.Token = token
	if why := refused(t, again); !strings.Contains(why, "used") {
		t.Errorf("refused because %s", why)
	}
	info, err := os.Stat(identityPath(o.Dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("identity: %v, %v", info, err)
	}
	for hash := range r.store.tokens {
		if strings.Contains(token, hash) {
			t.Error("the store holds the token itself")
		}
	}
}

func TestAnotherServersTokenIsRefused(t *testing.T) {
	t.Parallel()
	r, other := newRig(t), newRig(t)
	o := r.options("one")
	o.Token = other.token()
	if why := refused(t, o); !strings.Contains(why, "not the one that made the token") {
		t.Errorf("refused because %s", why)
	}
	if len(other.store.tokens) != 1 {
		t.Error("the token was used")
	}
}

func TestJoinRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	expired, err := r.hub.Token(t.Context(), -time.Second, "test", engine.Grant{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, token, want string }{
		{"one", "", "has no token"},
		{"one", "nonsense", "not a join token"},
		{"one", expired.Token, "expired"},
		{"../evil", r.token(), "cannot be the name"},
	} {
		o := r.options("dir")
		o.Name, o.Token = test.name, test.token
		if why := refused(t, o); !strings.Contains(why, test.want) {
			t.Errorf("%q: refused because %s", test.token, why)
		}
	}
}

func TestOldCertificateIsRefusedAfterJoiningAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, stop := r.connected("one")
	_ = stop()
	next[lost](t, r.events)
	o := r.options("one")
	o.Dir += "-new"
	o.Token = r.token()
	r.run(o)
	next[joined](t, r.events)
	if why := refused(t, r.options("one")); !strings.Contains(why, "join with a new token") {
		t.Errorf("refused because %s", why)
	}

	// That helps, and turns the other one away: by then it has a certificate of the past itself.
	o = r.options("one")
	o.Token = r.token()
	r.run(o)
	next[lost](t, r.events)
	next[joined](t, r.events)
}

func TestNameOfAnotherAgent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, stop := r.connected("one")
	_ = stop()
	o := r.options("one")
	o.Name = "two"
	if why := refused(t, o); !strings.Contains(why, `belongs to agent "one"`) {
		t.Errorf("refused because %s", why)
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add("secret." + strings.Repeat("a", 64))
	f.Add("")
	f.Add(".")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := wire.ParseToken(text)
		if err == nil && token.String() != strings.TrimSpace(text) {
			t.Errorf("%q became %q", text, token)
		}
	})
}
