package dsl

import (
	"strconv"
	"time"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// flow reads a document whose top-level key is `flow`.
func (d *decoder) flow(n *node) *flowDraft {
	f := &flowDraft{at: d.src.pos(n), file: d.src.path, folder: d.folder}
	d.object(n, &flowShape, func(key string, v *node) {
		switch key {
		case "flow":
			f.name = d.name(v, "a name")
			f.at = d.src.pos(v)
		case "description":
			f.description = d.text(v, "text")
		case "team":
			f.team = d.text(v, "a team's name")
		case "owner":
			f.owner = d.text(v, "a person's name")
		case "group":
			f.group = d.text(v, "text")
		case "labels":
			f.labels = d.labels(v)
		case "priority":
			f.priority = d.integer(v, 0, 9)
		case "enabled":
			f.enabled = d.boolean(v)
		case "schedule":
			f.schedule, f.missed = d.schedule(v)
		case "concurrency":
			d.flowConcurrency(f, v)
		case "expire_after":
			f.expireAfter = d.duration(v)
		case "params":
			f.params = d.params(v)
		case "defaults":
			f.defaults = d.defaults(v)
		case "alerts":
			f.alerts = d.alerts(v)
		case "tasks":
			d.tasks(f, v)
		}
	})
	d.requireFlow(n, f)
	d.expand(f)
	return f
}

// requireFlow reports the fields that a flow must have and does not mention.
func (d *decoder) requireFlow(n *node, f *flowDraft) {
	if n.field("team") == nil {
		d.reportAt(f.at, diag.NoTeam, "add `team: NAME`, the team that owns the flow", "flow "+strconv.Quote(f.name.value)+" has no team")
	}
	if n.field("tasks") == nil {
		d.reportAt(f.at, diag.Missing, "add `tasks:` with at least one task", "flow "+strconv.Quote(f.name.value)+" has no tasks")
	}
}

func (d *decoder) labels(n *node) map[string]string {
	out := make(map[string]string, len(n.pairs))
	d.pairs(n, "a mapping of texts", func(key string, _, v *node) {
		out[key] = d.text(v, "text").value
	})
	return out
}

func (d *decoder) params(n *node) []flow.Param {
	var out []flow.Param
	d.pairs(n, "a mapping of names to default values", func(key string, k, v *node) {
		d.checkName(text{key, d.src.pos(k)}, k)
		if t := d.text(v, "text"); t.at.Line > 0 {
			out = append(out, flow.Param{Name: key, Default: t.value, Pos: d.src.pos(k)})
		}
	})
	return out
}

func (d *decoder) schedule(n *node) (*scheduleDraft, text) {
	s := &scheduleDraft{at: d.src.pos(n), fields: make(map[string]flow.Pos, len(n.pairs))}
	var missed text
	failed := len(d.findings)
	d.object(n, &scheduleShape, func(key string, v *node) {
		t := d.text(v, "text")
		s.fields[key] = d.src.pos(v)
		switch key {
		case "every":
			s.spec.Every = t.value
		case "cron":
			s.spec.Cron = t.value
		case "once":
			s.spec.Once = t.value
		case "at":
			s.spec.At = t.value
		case "timezone":
			s.spec.Timezone = t.value
		case "start":
			s.spec.Start = t.value
		case "end":
			s.spec.End = t.value
		case "calendar":
			s.calendar = t
		case "missed":
			missed = d.oneOf(v, string(flow.MissedAll), string(flow.MissedLatest), string(flow.MissedNone))
		}
	})
	if len(d.findings) > failed { // its Spec would only repeat what is already said
		s.spec = period.Spec{}
		s.fields = nil
	}
	return s, missed
}

func (d *decoder) flowConcurrency(f *flowDraft, n *node) {
	d.object(n, &flowConcurrencyShape, func(key string, v *node) {
		switch key {
		case "runs":
			f.runs = d.integer(v, 1, 1_000_000)
		case "order":
			f.newest = d.oneOf(v, "oldest", "newest").value == "newest"
		}
	})
}

func (d *decoder) retry(n *node) (out retryDraft) {
	d.object(n, &retryShape, func(key string, v *node) {
		switch key {
		case "limit":
			out.limit = d.integer(v, 0, 1000)
		case "delay":
			out.delay = d.duration(v)
		case "backoff":
			out.backoff = d.number(v, 1, 100)
		case "max_delay":
			out.maxDelay = d.duration(v)
		}
	})
	return out
}

func (d *decoder) tasks(f *flowDraft, n *node) {
	if n.kind == mappingNode && len(n.pairs) == 0 {
		d.report(n, diag.Missing, "add at least one task", "flow %s has no tasks", strconv.Quote(f.name.value))
		return
	}
	f.tasks = make([]*taskDraft, 0, len(n.pairs))
	d.pairs(n, "a mapping of names to tasks", func(key string, k, v *node) {
		name := text{key, d.src.pos(k)}
		d.checkName(name, k)
		f.tasks = append(f.tasks, d.task(name, v, &taskShape))
	})
}

// defaultExpiry is expire_after when a flow does not say.
const defaultExpiry = 7 * 24 * time.Hour
