package dsl_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flowctl/dsl"
	"flowctl/dsl/diag"
)

// rules compiles and returns the rules of what is found, in order.
func rules(pairs ...string) []string {
	_, found := dsl.New().Compile(repository(pairs...))
	return rulesOf(found)
}

func rulesOf(found []diag.Diagnostic) (out []string) {
	for _, d := range found {
		out = append(out, d.Rule)
	}
	return out
}

func isUnused(d diag.Diagnostic) bool { return d.Rule == diag.Unused }

func TestSuccessByOutputsNeedsSome(t *testing.T) {
	t.Parallel()
	const task = "flow: f\nteam: data\ntasks: {t: {run: x, success: outputs"
	if got := rules("f.yaml", task+"}}\n"); len(got) != 1 || got[0] != "missing" {
		t.Errorf("without outputs: %v", got)
	}
	if got := rules("f.yaml", task+", outputs: [/p/]}}\n"); len(got) != 0 {
		t.Errorf("with outputs: %v", got)
	}
}

func TestLostAfterNeedsToMatter(t *testing.T) {
	t.Parallel()
	const task = "flow: f\nteam: data\ntasks: {t: {run: x, lost_after: 5m"
	for rest, rule := range map[string]string{"": "type", ", on_agent_lost: wait": "type", ", on_agent_lost: restart": "", ", on_agent_lost: fail": ""} {
		if got := strings.Join(rules("f.yaml", task+rest+"}}\n"), " "); got != rule {
			t.Errorf("%q: %q, want %q", rest, got, rule)
		}
	}
}

func TestBadNeeds(t *testing.T) {
	t.Parallel()
	for need, rule := range map[string]string{
		"/t": "bad-name", "f/": "bad-name", `""`: "bad-name", "u": "unknown-task", "f/u": "unknown-task", "g/t": "unknown-flow", "g/t/u": "unknown-flow",
		"{flow: g}": "unknown-flow", "{}": "missing", "[t]": "type", "~": "type", "{task: t, period: latest}": "unknown-field",
		"{task: t, periods: {last: 0}}": "type", "{task: t, periods: {last: 1, offset: -1}}": "type", "{task: t, periods: {first: 1}}": "unknown-field",
	} {
		if got := rules("f.yaml", "flow: f\nteam: data\ntasks: {t: {run: x}, d: {run: x, needs: ["+need+"]}}\n"); len(got) != 1 || got[0] != rule {
			t.Errorf("%s: %v, want %s", need, got, rule)
		}
	}
}

// TestCompileIsBounded gives small repositories whose meaning is large, and mistakes whose explanation is.
func TestCompileIsBounded(t *testing.T) {
	t.Parallel()
	values := make([]string, 1000)
	for i := range values {
		values[i] = fmt.Sprint("v", i)
	}
	list := "[" + strings.Join(values, ", ") + "]"
	var chain, wrong strings.Builder
	for i := range 15_000 {
		fmt.Fprintf(&chain, "  t%d: {run: x, needs: [{task: t%d, periods: previous}]}\n", i, (i+1)%15_000)
		fmt.Fprintf(&wrong, "  t%d: {run: x, needs: [u%d, f%d/t], file: f%d.sh}\n", i, i, i, i)
	}
	const head = "flow: f\nteam: data\nschedule: {every: day}\ntasks:\n"
	for name, text := range map[string]string{
		"matrix":  head + "  a: {run: x, matrix: {x: " + list + ", y: " + list + ", z: " + list + "}}\n",
		"needs":   head + "  a: {run: x, matrix: {x: " + list + "}}\n  b: {run: x, needs: [a], matrix: {x: " + list + "}}\n",
		"earlier": head + chain.String(),
		"wrong":   head + wrong.String(),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			if got := rules("f.yaml", text); len(got) == 0 {
				t.Error("nothing was found")
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			} else {
				t.Log(took)
			}
		})
	}
}

func TestNothingFollowsFromAMisspeltSchedule(t *testing.T) {
	t.Parallel()
	got := rules(
		"f.yaml", "flow: f\nteam: data\nshedule: {every: day}\ntasks: {t: {run: x, needs: [{task: t, periods: previous}]}}\n",
		"g.yaml", "flow: g\nteam: data\nschedule: {every: day}\ntasks: {t: {run: x, needs: [{flow: f, periods: {last: 2}}]}}\n",
	)
	if len(got) != 1 || got[0] != diag.UnknownField {
		t.Errorf("found %q", got)
	}
}
