package dsl

import "flowctl/dsl/flow"

// or fills what is left out from the defaults: a retry and alerts field by field, env and with key by key, all else as a whole. Settings
// and a connection belong to their runner, so a task of another runner takes neither.
func (c commonDraft) or(o commonDraft) commonDraft {
	other := c.runner.value != "" && c.runner.value != o.runnerName()
	if c.runner.value == "" {
		c.runner = o.runner
	}
	if !other {
		c.with = c.with.or(o.with)
	}
	c.env = mergeEnv(c.env, o.env)
	c.startAfter = c.startAfter.or(o.startAfter)
	c.timeout = c.timeout.or(o.timeout)
	c.retry = c.retry.or(o.retry)
	if c.trigger.value == "" {
		c.trigger = o.trigger
	}
	c.concurrency = c.concurrency.or(o.concurrency)
	if c.agents == nil {
		c.agents = o.agents
	}
	c.options = c.options.or(o.options, other)
	return c
}

// runnerName is the runner, with the default of the language.
func (c *commonDraft) runnerName() string {
	if c.runner.value == "" {
		return "shell"
	}
	return c.runner.value
}

func (r retryDraft) or(o retryDraft) retryDraft {
	return retryDraft{r.limit.or(o.limit), r.delay.or(o.delay), r.backoff.or(o.backoff), r.maxDelay.or(o.maxDelay)}
}

// or puts the defaults' settings below.
func (w *withDraft) or(o *withDraft) *withDraft {
	if w == nil || o == nil {
		if w == nil {
			return o
		}
		return w
	}
	merged := *w
	merged.below = w.below.or(o)
	return &merged
}

// mergeEnv adds the defaults' variables that are not given, before those that are.
func mergeEnv(own, defaults []flow.Env) []flow.Env {
	if len(defaults) == 0 || len(own) == 0 {
		if len(own) == 0 {
			return defaults
		}
		return own
	}
	given := make(map[string]bool, len(own))
	for _, e := range own {
		given[e.Name] = true
	}
	merged := make([]flow.Env, 0, len(own)+len(defaults))
	for _, e := range defaults {
		if !given[e.Name] {
			merged = append(merged, e)
		}
	}
	return append(merged, own...)
}

// or fills in what is left out, but for the connection when the runners differ.
func (p *optionsDraft) or(o *optionsDraft, otherRunner bool) *optionsDraft {
	if o == nil || p == nil && !otherRunner {
		if p == nil {
			return o
		}
		return p
	}
	merged := optionsDraft{}
	if p != nil {
		merged = *p
	}
	if !otherRunner {
		merged.connection = merged.connection.or(o.connection)
	}
	if merged.signals == nil {
		merged.signals = o.signals
	}
	if merged.gate == nil {
		merged.gate = o.gate
	}
	merged.dependencyTimeout = merged.dependencyTimeout.or(o.dependencyTimeout)
	merged.outputTimeout = merged.outputTimeout.or(o.outputTimeout)
	merged.success = merged.success.or(o.success)
	if merged.pool.at.Line == 0 {
		merged.pool, merged.slots = o.pool, o.slots
	}
	merged.runAs = merged.runAs.or(o.runAs)
	merged.resources = merged.resources.or(o.resources)
	if merged.onLost.at.Line == 0 {
		merged.onLost, merged.lostAfter = o.onLost, merged.lostAfter.or(o.lostAfter)
	}
	merged.alerts = merged.alerts.or(o.alerts)
	return &merged
}

func (t text) or(o text) text {
	if t.at.Line > 0 {
		return t
	}
	return o
}

func (a *alertsDraft) or(o *alertsDraft) *alertsDraft {
	if a == nil || o == nil {
		if a == nil {
			return o
		}
		return a
	}
	return &alertsDraft{
		def: a.def.or(o.def), ownerOnly: a.ownerOnly.or(o.ownerOnly), phone: a.phone.or(o.phone), sms: a.sms.or(o.sms),
		email: a.email.or(o.email), rules: a.rules.or(o.rules),
	}
}
