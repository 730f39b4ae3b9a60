package dsl

import (
	"time"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// defaultMaxDelay is retry.max_delay when nothing says it, and the delay is not longer.
const defaultMaxDelay = time.Hour

// retryTimers reports delays between retries that are never waited for as written.
func (l *linter) retryTimers() {
	l.tasks(func(t *taskDraft, defaults *commonDraft) {
		if retry := t.retry.or(defaults.retry); retry.limit.value == 0 {
			l.delaysWithoutRetries(&t.retry)
		} else {
			l.cutDelays(&retry)
		}
	})
}

func (l *linter) cutDelays(r *retryDraft) {
	longest := r.maxDelay.value
	switch {
	case !r.maxDelay.set():
	case r.delay.value > longest:
		d := l.warn(r.delay.at, diag.Timers, "make max_delay at least as long", "the delay is cut to max_delay, which is "+written(longest))
		d.Related = relatedAt(r.maxDelay.at, "max_delay is given here")
	case r.backoff.value > 1 && r.delay.value == longest:
		l.warn(r.backoff.at, diag.Timers, "make max_delay longer than delay, or remove backoff", "backoff has no effect: the first delay is max_delay already")
	}
}

// delaysWithoutRetries reports what a task says about retries that it does not have.
func (l *linter) delaysWithoutRetries(r *retryDraft) {
	at := r.delay.at
	if !r.delay.set() {
		at = r.backoff.at
	}
	if !r.delay.set() && !r.backoff.set() {
		at = r.maxDelay.at
	}
	if at.Line > 0 {
		l.warn(at, diag.Timers, "add `limit:`, the number of retries", "nothing is retried, since limit is 0")
	}
}

// lateTimers reports tasks that have expired before they may start, or before their dependencies count as late. start_after counts from the end
// of the period; expire_after and dependency_timeout from when the run is due, which is later, but not by more than maxLag.
func (l *linter) lateTimers() {
	if l.flow.Schedule == nil || l.flow.ExpireAfter == 0 {
		return
	}
	expired := "expires " + written(l.flow.ExpireAfter) + " after its run was due"
	warn := func(at flow.Pos, field, message string) {
		if at.File == SettingsFile { // most other flows have time enough
			return
		}
		d := l.warn(at, diag.Timers, "make expire_after longer than "+field, message)
		if l.draft.expireAfter.set() {
			d.Related = relatedAt(l.draft.expireAfter.at, "expire_after is given here")
		}
	}
	l.tasks(func(t *taskDraft, defaults *commonDraft) {
		start := t.startAfter.or(defaults.startAfter)
		if start.set() && start.value >= l.flow.ExpireAfter+maxLag(l.flow.Schedule.Kind()) {
			warn(start.at, "start_after", "it never starts: it "+expired)
		}
		for _, o := range []*optionsDraft{t.options, defaults.options} {
			if o == nil || !o.dependencyTimeout.set() {
				continue
			}
			if o.dependencyTimeout.value > l.flow.ExpireAfter {
				warn(o.dependencyTimeout.at, "dependency_timeout", "its dependencies are never late: it "+expired)
			}
			break // the task's own overrides the default
		}
	})
}

// maxLag is the longest time from the end of a period until its run is due.
func maxLag(kind period.Kind) time.Duration {
	switch kind {
	case period.Hour:
		return time.Hour
	case period.Day:
		return 25 * time.Hour
	case period.Week:
		return 7*24*time.Hour + time.Hour
	case period.Month:
		return 31*24*time.Hour + time.Hour
	}
	return 0
}
