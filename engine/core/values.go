package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/engine"
)

// values are what the expressions of a task run can see.
func (m *Machine) values(t *taskRun) *expr.Values {
	v := t.run.row.Values(t.run.flow, t.def.Name, t.def.Matrix, t.run.rev.Commit)
	v.Needs, v.Quote = t.upstream(), expr.Quoter(t.def.Runner)
	return v
}

// upstream is the `needs` context: state and outputs by task name within the flow, by flow/task across flows.
func (t *taskRun) upstream() map[string]expr.Need {
	if len(t.def.Needs) == 0 {
		return nil
	}
	all := make(map[string]expr.Need, len(t.def.Needs))
	for i := range t.def.Needs {
		n := &t.def.Needs[i]
		if n.Local >= 0 {
			up := &t.run.tasks[n.Local]
			all[n.Task] = expr.Need{State: string(up.row.State), Outputs: up.row.Outputs}
		}
	}
	for i := range t.needs {
		n := &t.needs[i]
		if n.def != nil && len(n.refs) == n.each && n.def.Local < 0 && !n.data {
			p := n.decisive(0)
			all[n.def.Flow+"/"+n.def.Task] = expr.Need{State: string(p.state), Outputs: p.outputs}
		}
	}
	return all
}

// render fills the texts of an assignment.
func (m *Machine) render(as *engine.Assignment, t *taskRun) error {
	d := t.def
	r := renderer{programs: &m.programs, values: func() *expr.Values { return m.values(t) }}
	if d.Run != nil {
		as.Text = r.text(d.Run, expr.Run)
	}
	for _, a := range d.Args {
		as.Args = append(as.Args, engine.AssignmentArg{Name: a.Name, Value: r.text(a.Value, expr.Dispatch)})
	}
	var env map[string]string
	if len(d.Env) > 0 {
		env = make(map[string]string, len(d.Env))
	}
	for _, e := range d.Env {
		env[e.Name] = r.text(e.Value, expr.Config)
		as.Env = append(as.Env, e.Name+"="+env[e.Name])
		if r.v != nil {
			r.v.Env = env
		}
	}
	if d.Success == flow.SuccessOutputs {
		for _, o := range d.Outputs {
			as.Outputs = append(as.Outputs, r.text(o, expr.Creation))
		}
	}
	if len(d.With) > 0 {
		b, err := json.Marshal(r.value(d.With))
		if err != nil {
			return fmt.Errorf("with: %w", err)
		}
		as.With = string(b)
	}
	return r.err
}

// renderer evaluates templates and keeps the first error. Constant texts need no values, so these are made when first needed.
type renderer struct {
	programs *expr.Programs
	values   func() *expr.Values
	v        *expr.Values
	err      error
}

func (r *renderer) text(t *flow.Template, scope expr.Scope) string {
	s, ok := t.Const()
	var err error
	if !ok {
		if r.v == nil {
			r.v = r.values()
		}
		s, err = r.programs.Text(t, scope, r.v)
	}
	if err == nil {
		err = r.secrets(t, scope, s)
	}
	if err != nil && r.err == nil {
		r.err = err
	}
	return s
}

// secrets refuses what would have the agent fill in a secret that the template does not name: the compiler has checked those alone.
// Others come from a variable that holds one, or were smuggled in through a parameter or an output.
func (r *renderer) secrets(t *flow.Template, scope expr.Scope, s string) error {
	for _, name := range flow.SecretsIn(s) {
		named := func(u expr.Use) bool { return u.Name == name }
		if scope != expr.Config || !slices.ContainsFunc(r.programs.Secrets(t, scope), named) {
			return errors.New("the value of a secret may only stand where secret() does, in env and with: let the task read the variable that holds it")
		}
	}
	return nil
}

// value renders a JSON value of `with`.
func (r *renderer) value(v any) any {
	switch v := v.(type) {
	case *flow.Template:
		return r.text(v, expr.Config)
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = r.value(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = r.value(x)
		}
		return out
	}
	return v
}
