package flow_test

import (
	"errors"
	"slices"
	"testing"

	"flowctl/dsl/flow"
)

func TestReveal(t *testing.T) {
	t.Parallel()
	absent := errors.New("absent")
	lookup := func(name string) (string, error) {
		if name == "absent" {
			return "", absent
		}
		return "<" + name + flow.SecretMark("again") + ">", nil
	}
	mark := flow.SecretMark
	for text, want := range map[string]string{
		"": "", "plain": "plain", "a" + mark("x") + "b": "a<x" + mark("again") + ">b", mark("x") + mark("y"): "<x" + mark("again") + "><y" + mark("again") + ">",
		"\x00secret:open": "\x00secret:open",
	} {
		if got, err := flow.Reveal(text, lookup); got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	if names := flow.SecretsIn("a" + mark("x") + mark("") + mark("y") + "\x00secret:"); !slices.Equal(names, []string{"x", "", "y"}) {
		t.Errorf("names %q", names)
	}
	if _, err := flow.Reveal(mark("x")+mark("absent"), lookup); !errors.Is(err, absent) {
		t.Errorf("got %v", err)
	}
}
