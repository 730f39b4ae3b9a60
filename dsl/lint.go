package dsl

import (
	"flowctl/dsl/diag"
	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
)

// lintRules are the rules about one flow, each a function that reports with linter.warn. They say only what is certain: a warning that is wrong
// now and then teaches people to read over all of them. What concerns the repository as a whole is in lint_unused.go, what concerns the text
// of a file in lint_secret.go.
func lintRules() []func(*linter) {
	return []func(*linter){
		(*linter).unusedParams,
		(*linter).retryTimers,
		(*linter).lateTimers,
		(*linter).emptySchedule,
		(*linter).falseConditions,
		(*linter).clockChanges,
	}
}

// linter looks at one flow.
type linter struct {
	*builtFlow
	programs *expr.Programs
	year     int
	found    []diag.Diagnostic
}

// warn records a warning and returns it, for what is seldom set.
func (l *linter) warn(at flow.Pos, rule, hint, message string) *diag.Diagnostic {
	l.found = append(l.found, warningAt(at, rule, hint, message))
	return &l.found[len(l.found)-1]
}

// tasks visits the tasks as written, with their defaults.
func (l *linter) tasks(visit func(t *taskDraft, defaults *commonDraft)) {
	defaults := l.draft.defaults.or(l.base.defaults)
	for _, t := range l.written {
		visit(t, &defaults)
	}
}

// lint looks for what compiles, but is hardly meant. Flows that were not built again keep their warnings.
func (r *compilation) lint() {
	parallel(len(r.built), func(i int) {
		b := r.built[i]
		if b.warned && b.year == r.c.Year {
			return
		}
		l := linter{builtFlow: b, programs: &r.c.programs, year: r.c.Year}
		for _, rule := range lintRules() {
			rule(&l)
		}
		l.namesUsed()
		b.warned, b.year, b.warnings = true, r.c.Year, l.found
	})
	for _, b := range r.built {
		r.add(b.warnings...)
	}
	r.unused()
}
