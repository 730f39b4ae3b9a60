package expr

import "testing"

// quoted is text that means something to each language.
const quoted = "it's \"a\" \\ ${env:HOME} $5\n;\x0012"

func TestQuoter(t *testing.T) {
	t.Parallel()
	for runner, want := range map[string]string{
		"shell":  "'it'\\''s \"a\" \\ ${env:HOME} $5\n;\x0012'",
		"ssh":    "'it'\\''s \"a\" \\ ${env:HOME} $5\n;\x0012'",
		"python": `"it's \"a\" \\ ${env:HOME} $5\n;\x0012"`,
		"hive":   `'it\'s "a" \\ \u0024{env:HOME} $5\n;\u000012'`,
	} {
		if got := Quoter(runner)(quoted); got != want {
			t.Errorf("%s: got %s, want %s", runner, got, want)
		}
	}
	if Quoter("unknown") != nil {
		t.Error("an unknown runner has a language")
	}
}
