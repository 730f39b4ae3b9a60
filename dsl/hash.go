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
	default:
		d.str(fmt.Sprintf("%T %v", v, v))
	}
}

func (d *digest) sum() string {
	sum := sha256.Sum256(d.buf)
	return hex.EncodeToString(sum[:])
}

// hashFlow sets the hashes of a flow and its tasks: over everything that can change what a run does, the scripts that tasks name
// included. Places, descriptions and owners are not part of it.
func hashFlow(f *flow.Flow, scripts map[string]scriptSum) {
	var d digest
	tasks := make(map[string]string, len(f.Tasks))
	for _, t := range f.Tasks {
		d.buf = d.buf[:0]
		d.task(t, scripts)
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

// hashProject covers all flows and whom they concern.
func hashProject(p *flow.Project) string {
	var d digest
	d.str(p.Timezone)
	d.list(p.Admins)
	for _, k := range slices.Sorted(maps.Keys(p.People)) {
		q := p.People[k]
		d.str(q.Key, q.Name, q.Email, q.SMS, q.Phone, q.Timezone)
	}
	for _, k := range slices.Sorted(maps.Keys(p.Teams)) {
		d.str(k)
		d.list(p.Teams[k].Members)
	}
	for _, f := range p.Flows {
		d.str(f.Name, f.Hash, f.Team, f.Owner, f.Group)
	}
	return d.sum()
}
