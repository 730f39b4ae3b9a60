package gate_test

import (
	"strings"
	"testing"

	"flowctl/engine"
	"flowctl/engine/gate"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	s := gate.Secret("secret")
	seen := map[string]bool{}
	for _, k := range []engine.GateKey{
		{Run: 7, Task: "load", Asked: 1795134600001000}, {Run: 7, Task: "load", Asked: 1795134600001001}, {Run: 8, Task: "load", Asked: 1795134600001000},
		{Run: 7, Task: "load:eu us", Asked: -1}, {},
	} {
		token := s.Token(k)
		if got, ok := s.Open(token); !ok || got != k {
			t.Errorf("%+v became %+v, %v", k, got, ok)
		}
		if again := s.Token(k); again != token || seen[token] || strings.Trim(token, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" {
			t.Errorf("token %s of %+v, then %s", token, k, again)
		}
		seen[token] = true
		if _, ok := gate.Secret("other").Open(token); ok {
			t.Errorf("another secret opens the token of %+v", k)
		}
		for _, bad := range []string{"", token[1:], token + "A", "A" + token, token[:len(token)-1], strings.ToUpper(token)} {
			if k, ok := s.Open(bad); ok {
				t.Errorf("%q opens as %+v", bad, k)
			}
		}
	}
}

// FuzzOpen: nothing opens but what was made.
func FuzzOpen(f *testing.F) {
	s := gate.Secret("secret")
	f.Add(s.Token(engine.GateKey{Run: 1, Task: "load", Asked: 2}))
	f.Add("")
	f.Add("YQ==")
	f.Fuzz(func(t *testing.T, token string) {
		if k, ok := s.Open(token); ok && s.Token(k) != token {
			t.Errorf("%q opens as %+v, whose token is %q", token, k, s.Token(k))
		}
	})
}
