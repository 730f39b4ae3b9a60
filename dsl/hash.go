package dsl

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// digest collects fields in a fixed order, each with its length, so that no two different values read the same.
type digest struct{ buf []byte }

func (d *digest) str(values ...string) {
	for _, s := range values {
		d.buf = binary.AppendUvarint(d.buf, uint64(len(s)))
		d.buf = append(d.buf, s...)
	}
}

func (d *digest) num(values ...int64) {
	for _, v := range values {
		d.buf = binary.AppendVarint(d.buf, v)
	}
}

func (d *digest) flag(b bool) {
	if b {
		d.num(1)
	} else {
		d.num(0)
	}
}

func (d *digest) list(values []string) {
	d.num(int64(len(values)))
	d.str(values...)
}

func (d *digest) table(m map[string]string) {
	d.num(int64(len(m)))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		d.str(k, m[k])
	}
}

func (d *digest) template(t *flow.Template) {
	if t == nil {
		d.num(-1)
		return
	}
	d.num(int64(len(t.Parts)))
	for _, p := range t.Parts {
		d.str(p.Lit, p.Expr)
	}
}

func (d *digest) templates(list []*flow.Template) {
	d.num(int64(len(list)))
	for _, t := range list {
		d.template(t)
	}
}

// value adds a value of `with`.
func (d *digest) value(v any) {
	switch v := v.(type) {
	case *flow.Template:
		d.str("template")
		d.template(v)
	case string:
		d.str("text", v)
	case map[string]any:
		d.num(int64(len(v)))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			d.str(k)
			d.value(v[k])
		}
	case []any:
		d.str("list")
		d.num(int64(len(v)))
		for _, x := range v {
			d.value(x)
		}
	default:
		d.str(fmt.Sprintf("%T %v", v, v))
	}
}

func (d *digest) sum() string {
	sum := sha256.Sum256(d.buf)
	return hex.EncodeToString(sum[:])
}

// hash sets the hashes of the flow and its tasks: over everything that can change what a run does, the scripts that tasks name
// included. Places, descriptions, owners and alerts are not part of it.
func (b *builder) hash() {
	f := b.flow
	var d digest
	tasks := make(map[string]string, len(f.Tasks))
	for _, t := range f.Tasks {
		d.buf = d.buf[:0]
		d.task(t, b.scripts)
		d.options(t.Options, b.catalog)
		if p := b.catalog.plugin(flow.RunnerPlugin, t.Runner); p != nil {
			d.str(p.Version)
			d.list(p.SHA256)
		}
		t.Hash = d.sum()
		tasks[t.Name] = t.Hash
	}
	d.buf = d.buf[:0]
	d.str(f.Name, f.Folder, string(f.Missed))
	d.num(int64(f.Priority), int64(f.MaxRuns), int64(f.ExpireAfter))
	d.flag(f.Enabled)
	d.flag(f.Newest)
	d.schedule(f.Spec)
	d.num(int64(len(f.Params)))
	for _, p := range f.Params {
		d.str(p.Name, p.Default)
	}
	d.table(tasks)
	f.Hash = d.sum()
	b.concerns = b.digestConcerns()
}

// digestConcerns covers what changes no task: alerts, and the ids that tasks had.
func (b *builder) digestConcerns() string {
	var d digest
	d.alerts(b.flow.Alerts)
	for _, t := range b.flow.Tasks {
		if t.Options != b.plain {
			d.str(t.Name)
			d.alerts(t.Alerts)
			d.list(t.Formerly)
		}
	}
	return d.sum()
}

func (d *digest) alerts(a *flow.Alerts) {
	d.flag(a.Default)
	d.flag(a.OwnerOnly)
	d.receivers(a.Phone)
	d.receivers(a.SMS)
	d.receivers(a.Email)
	d.num(int64(len(a.Rules)))
	for _, r := range a.Rules {
		d.num(int64(len(r.Events)))
		for _, e := range r.Events {
			d.str(string(e))
		}
		d.template(r.When)
		d.str(string(r.Severity))
		d.receivers(r.Notify)
	}
}

func (d *digest) receivers(list []flow.Receiver) {
	d.num(int64(len(list)))
	for _, r := range list {
		d.str(r.Person, r.Team, r.Oncall, r.Channel, r.Address)
		d.flag(r.Secondary)
	}
}

// options adds what the options of a task change in what its attempts do.
func (d *digest) options(o *flow.Options, c *catalog) {
	d.list(o.Signals)
	d.flag(o.Gate != nil)
	if o.Gate != nil {
		d.template(o.Gate.URL)
		d.num(int64(o.Gate.Timeout))
	}
	d.str(string(o.Success), string(o.OnAgentLost), o.RunAs)
	if a := c.accounts[o.RunAs]; a != nil {
		d.str(a.User)
	}
	d.flag(o.Pool != nil)
	if o.Pool != nil {
		d.str(o.Pool.Name)
		d.num(int64(o.Pool.Slots))
	}
	d.num(int64(o.DependencyTimeout), int64(o.OutputTimeout), int64(o.LostAfter), o.Resources.Memory, int64(math.Float64bits(o.Resources.CPU)))
}

func (d *digest) schedule(s period.Spec) {
	d.str(s.Every, s.Cron, s.Once, s.At, s.Timezone, s.Start, s.End)
	d.flag(s.Calendar != nil)
	if c := s.Calendar; c != nil {
		d.list(c.Days)
		d.list(c.Exclude)
		d.list(c.Include)
	}
}

func (d *digest) task(t *flow.Task, scripts map[string]scriptSum) {
	d.str(t.Name, t.Runner, t.File, string(t.TriggerRule))
	if t.File != "" {
		s := scripts[t.File]
		d.num(int64(s.mode))
		d.buf = append(d.buf, s.sum[:]...)
	}
	d.template(t.Run)
	d.template(t.When)
	d.num(int64(len(t.Args)))
	for _, a := range t.Args {
		d.str(a.Name)
		d.template(a.Value)
	}
	d.value(t.With)
	d.num(int64(len(t.Env)))
	for _, e := range t.Env {
		d.str(e.Name)
		d.template(e.Value)
	}
	d.num(int64(len(t.Needs)))
	for _, n := range t.Needs {
		d.str(n.Flow, n.Task)
		d.num(int64(n.Rule.Kind), int64(n.Rule.N))
	}
	d.templates(t.Inputs)
	d.templates(t.Outputs)
	d.num(int64(t.StartAfter), int64(t.Timeout), int64(t.Concurrency))
	d.num(int64(t.Retry.Limit), int64(t.Retry.Delay), int64(math.Float64bits(t.Retry.Backoff)), int64(t.Retry.MaxDelay))
	d.list(t.Agents)
	d.table(t.Matrix)
}

// hashProject covers all flows, what they use, and whom they concern.
func hashProject(p *flow.Project, built []*builtFlow) string {
	var d digest
	d.str(p.Timezone)
	d.list(p.Admins)
	for _, k := range slices.Sorted(maps.Keys(p.People)) {
		q := p.People[k]
		d.str(q.Key, q.Name, q.Email, q.SMS, q.Phone, q.Timezone)
	}
	d.teams(p.Teams)
	d.peers(p)
	for i, f := range p.Flows {
		d.str(f.Name, f.Hash, f.Team, f.Owner, f.Group, built[i].concerns)
	}
	return d.sum()
}

func (d *digest) teams(teams map[string]*flow.Team) {
	for _, k := range sortedKeys(teams) {
		t := teams[k]
		d.str(k)
		d.list(t.Members)
		d.flag(t.Oncall != nil)
		if o := t.Oncall; o != nil {
			d.str(string(o.Rotate), o.Timezone)
			d.num(int64(o.Handoff))
			if o.Weekday != nil {
				d.num(int64(*o.Weekday))
			}
			d.list(o.Order)
			d.num(int64(len(o.Overrides)))
			for _, v := range o.Overrides {
				d.str(v.From, v.To, v.Who)
			}
		}
		d.num(int64(len(t.Escalation)))
		for _, e := range t.Escalation {
			d.num(int64(e.After))
			d.receivers(e.Notify)
		}
	}
}

// peers adds what flows use by name, and the platform's own settings.
func (d *digest) peers(p *flow.Project) {
	for _, k := range sortedKeys(p.Channels) {
		c := p.Channels[k]
		d.str("channel", k, c.Plugin, string(c.Kind))
		d.flag(c.Default)
		d.value(c.With)
	}
	for _, k := range sortedKeys(p.Accounts) {
		d.str("account", k, p.Accounts[k].User)
		d.list(p.Accounts[k].Teams)
	}
	for _, k := range sortedKeys(p.Secrets) {
		d.str("secret", k)
		d.list(p.Secrets[k].Teams)
	}
	for _, k := range sortedKeys(p.Pools) {
		d.str("pool", k)
		d.num(int64(p.Pools[k].Slots))
	}
	for _, k := range sortedKeys(p.Connections) {
		x := p.Connections[k]
		d.str("connection", k, x.Runner, x.Address)
		d.list(x.Teams)
		d.value(x.With)
	}
	for _, k := range sortedKeys(p.Signals) {
		d.str("signal", k)
		d.schedule(p.Signals[k].Spec)
		d.list(p.Signals[k].Teams)
	}
	for _, k := range sortedKeys(p.Plugins) {
		x := p.Plugins[k]
		d.str("plugin", k, string(x.Kind), x.Version)
		d.list(x.SHA256)
	}
	m := &p.Monitors
	for _, t := range []*flow.Threshold{m.Agents, m.Servers, m.Redispatches10m, m.Redispatches30m, m.CPU, m.Memory, m.Disk} {
		if t == nil {
			t = &flow.Threshold{}
		}
		d.num(int64(t.Major), int64(t.Critical))
	}
	for _, t := range []*flow.Delay{m.Generation, m.Checks} {
		if t == nil {
			t = &flow.Delay{}
		}
		d.num(int64(t.Major), int64(t.Critical))
	}
	if t := m.Connections; t != nil {
		d.str("connections")
		d.num(int64(t.Slow), int64(t.Major), int64(t.Critical))
	}
	if p.Watchdog != nil {
		d.str("watchdog", p.Watchdog.URL)
	}
}
