package expr

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"

	"flowctl/dsl/flow"
)

// Bounds of one expression and of the cache.
const (
	maxSource   = 4096 // bytes
	maxNodes    = 500
	maxMemory   = 100_000 // elements of lists and maps made while running
	maxPrograms = 8192
)

// textName is the function that the inspector wraps around outputs; no one can write it.
const textName = "text of output"

// Programs compiles expressions and remembers them, at most a few thousand. It is safe for concurrent use; the zero value is
// ready.
type Programs struct {
	mu    sync.RWMutex
	known map[key]*program
}

type key struct {
	scope  Scope
	source string
}

// program is one compiled expression; code is nil when there are findings.
type program struct {
	code     *vm.Program
	names    []string
	refs     []reference
	outputs  []Output
	findings []finding
}

// EvalError is an expression that could not be evaluated.
type EvalError struct {
	Pos  flow.Pos
	Expr string
	Err  error
}

func (e *EvalError) Error() string {
	if e.Expr == "" {
		return e.Err.Error()
	}
	return fmt.Sprintf("%s:%d:%d: ${{ %s }}: %v", e.Pos.File, e.Pos.Line, e.Pos.Col, e.Expr, e.Err)
}

// Unwrap returns the cause.
func (e *EvalError) Unwrap() error { return e.Err }

// Text evaluates a template. Errors are *EvalError.
func (ps *Programs) Text(t *flow.Template, scope Scope, v *Values) (string, error) {
	if s, ok := t.Const(); ok {
		return s, nil
	}
	var b strings.Builder
	env := make(map[string]any)
	for i := range t.Parts {
		part := &t.Parts[i]
		if part.Expr == "" {
			b.WriteString(part.Lit)
			continue
		}
		x, err := ps.eval(part, scope, v, env)
		if err == nil {
			var s string
			s, err = text(x)
			b.WriteString(s)
		}
		if err != nil {
			return "", &EvalError{part.Pos, part.Expr, err}
		}
	}
	return b.String(), nil
}

// Bool evaluates a condition: a template of one expression. Errors are *EvalError.
func (ps *Programs) Bool(t *flow.Template, scope Scope, v *Values) (bool, error) {
	if t == nil || len(t.Parts) != 1 || t.Parts[0].Expr == "" {
		return false, &EvalError{Err: errors.New("a condition is one expression")}
	}
	part := &t.Parts[0]
	x, err := ps.eval(part, scope, v, make(map[string]any))
	if err != nil {
		return false, &EvalError{part.Pos, part.Expr, err}
	}
	switch x := x.(type) {
	case bool:
		return x, nil
	case nil:
		return false, &EvalError{part.Pos, part.Expr, errNothing}
	}
	return false, &EvalError{part.Pos, part.Expr, fmt.Errorf("a condition is true or false, not %v", x)}
}

func (ps *Programs) eval(part *flow.Part, scope Scope, v *Values, env map[string]any) (any, error) {
	p := ps.get(scope, part.Expr)
	if len(p.findings) > 0 {
		return nil, errors.New(p.findings[0].message)
	}
	for _, name := range p.names {
		if _, ok := env[name]; !ok {
			env[name] = v.context(name)
		}
	}
	machine := vm.VM{MemoryBudget: maxMemory}
	x, err := machine.Run(p.code, env)
	if err != nil {
		_, reason := message(err)
		return nil, errors.New(reason)
	}
	return x, nil
}

func (ps *Programs) get(scope Scope, source string) *program {
	k := key{scope, source}
	ps.mu.RLock()
	p := ps.known[k]
	ps.mu.RUnlock()
	if p != nil {
		return p
	}
	p = compile(scope, source)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.known == nil || len(ps.known) >= maxPrograms {
		ps.known = make(map[key]*program)
	}
	ps.known[k] = p
	return p
}

func compile(scope Scope, source string) *program {
	if len(source) > maxSource {
		return &program{findings: []finding{{0, BadExpression, fmt.Sprintf("the expression is longer than %d bytes", maxSource), "compute it in a task"}}}
	}
	in := &inspector{scope: scope, quoted: make(map[*ast.IdentifierNode]bool), direct: make(map[*ast.IdentifierNode]bool)}
	options := append(functions(), expr.Env(env(scope)), expr.MaxNodes(maxNodes), expr.Patch(in))
	if scope == When {
		options = append(options, expr.AsBool())
	}
	code, err := compileSafely(source, options)
	if code != nil {
		in.joined(code.Node())
		for _, n := range in.secrets {
			in.report(n, BadExpression, "the value of a secret is known on the agent alone, so it can be joined to other text by +, not computed with", "compute it in the task")
		}
	}
	in.finish()
	p := &program{code: code, names: in.names, refs: in.refs, outputs: in.outputs, findings: in.findings}
	if len(p.findings) > 0 {
		return p
	}
	if err != nil {
		at, text := message(err)
		f := finding{at: at, rule: BadExpression, message: text}
		if strings.HasPrefix(text, "unknown name") {
			f.hint = "known are " + strings.Join(contexts(scope), ", ") + ", and functions such as date, shift, replace and upper"
		}
		p.findings = []finding{f}
		return p
	}
	if scope != When {
		p.findings = notText(code)
	}
	return p
}

// compileSafely turns a panic of the compiler, which reads foreign text, into an error.
func compileSafely(source string, options []expr.Option) (code *vm.Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the expression cannot be compiled: %v", r)
		}
	}()
	return expr.Compile(source, options...)
}

// notText reports an expression that can never be printed.
func notText(code *vm.Program) []finding {
	t := code.Node().Type()
	if t == nil {
		return nil
	}
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Func:
		return []finding{{0, BadExpression, "the expression gives many values, not one text", "name one of them"}}
	}
	return nil
}

// message takes the place and the plain message out of an error of expr-lang.
func message(err error) (at int, text string) {
	var located *file.Error
	if errors.As(err, &located) {
		return located.From, located.Message
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return 0, first
}

// contexts lists the names that are known in a scope.
func contexts(scope Scope) []string {
	if scope == Peer {
		return []string{"secret"}
	}
	names := []string{"period", "params", "matrix", "ds", "ds_nodash", "hour"}
	if scope != Creation {
		names = append(names, "flow", "task", "run", "env", "needs", "quote")
	}
	if scope == Config {
		names = append(names, "secret")
	}
	return names
}

// env tells the type checker what the contexts hold.
func env(scope Scope) types.Map {
	text, moment := types.String, types.TypeOf(time.Time{})
	texts := types.Map{types.Extra: text}
	outputs := types.Map{types.Extra: types.Any}
	need := types.Map{"state": text, "outputs": outputs}
	all := types.Map{
		"flow":   types.Map{"name": text, "team": text, "owner": text, "group": text, "labels": texts},
		"task":   types.Map{"name": text},
		"run":    types.Map{"kind": text, "version": types.Int, "scheduled_at": moment, "revision": text},
		"period": types.Map{"start": moment, "end": moment, "label": text, "kind": text},
		"params": texts, "matrix": texts, "env": texts,
		"needs": types.Map{types.Extra: types.Map{"state": text, "outputs": outputs, types.Extra: need}},
		"ds":    text, "ds_nodash": text, "hour": text,
		"quote": types.TypeOf((&Values{}).quote), "secret": types.TypeOf(secretOf),
	}
	known := types.Map{}
	for _, name := range contexts(scope) {
		known[name] = all[name]
	}
	return known
}

// functions are those of expr-lang whose cost and result are bounded by their arguments, and our own.
func functions() []expr.Option {
	options := []expr.Option{expr.DisableAllBuiltins()}
	for _, name := range []string{
		"len", "abs", "ceil", "floor", "round", "int", "float", "trim", "trimPrefix", "trimSuffix", "upper", "lower",
		"split", "hasPrefix", "hasSuffix", "indexOf", "lastIndexOf", "min", "max", "first", "last",
	} {
		options = append(options, expr.EnableBuiltin(name))
	}
	return append(options,
		expr.Function("date", dateFunc, new(func(any, string) string)),
		expr.Function("shift", shiftFunc, new(func(any, string) time.Time)),
		expr.Function("replace", replaceFunc, new(func(string, string, string) string)),
		expr.Function("string", textFunc, new(func(any) string)),
		expr.Function(textName, textFunc, new(func(any) string)),
	)
}

// Types are the names that exist where a template stands.
type Types struct {
	Params []string
	Matrix []string
	Needs  []string // as written: a task of the flow, or flow/task
}

// Check type-checks every expression of t. Names are compared with types; nil types skip that.
func Check(t *flow.Template, scope Scope, types *Types) []Problem {
	return new(Programs).Check(t, scope, types)
}

// Check is as the function Check, and compiles each distinct expression once.
func (ps *Programs) Check(t *flow.Template, scope Scope, types *Types) []Problem {
	if t == nil {
		return nil
	}
	var problems []Problem
	if scope == When && (len(t.Parts) != 1 || t.Parts[0].Expr == "") {
		return []Problem{{t.Pos, BadExpression, "a condition is one expression", "write it without text around it, such as needs.load.state == 'succeeded'"}}
	}
	for i := range t.Parts {
		part := &t.Parts[i]
		if part.Expr == "" {
			continue
		}
		p := ps.get(scope, part.Expr)
		for _, f := range p.findings {
			problems = append(problems, Problem{place(part, f.at), f.rule, f.message, f.hint})
		}
		if types == nil {
			continue
		}
		for _, r := range p.refs {
			if f, bad := types.check(r); bad {
				problems = append(problems, Problem{place(part, r.at), f.rule, f.message, f.hint})
			}
		}
	}
	return problems
}

func (t *Types) check(r reference) (finding, bool) {
	names := map[string][]string{"params": t.Params, "matrix": t.Matrix, "needs": t.Needs}
	known := names[r.context]
	if !isNamed(r.context) || slices.Contains(known, r.name) {
		return finding{}, false
	}
	what := map[string]string{
		"params": "the flow has no parameter %q", "matrix": "the task has no matrix key %q", "needs": "the task does not need %q",
	}[r.context]
	hint := map[string]string{
		"params": "add it to `params`", "matrix": "add it to `matrix`", "needs": "add it to `needs`",
	}[r.context]
	if len(known) > 0 {
		hint += "; known: " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
	}
	return finding{r.at, BadExpression, fmt.Sprintf(what, r.name), hint}, true
}

// Names lists the names of a context (params, matrix or needs) that t uses, sorted.
func (ps *Programs) Names(t *flow.Template, scope Scope, context string) []string {
	var names []string
	for i := range t.Parts {
		if source := t.Parts[i].Expr; source != "" {
			for _, r := range ps.get(scope, source).refs {
				if r.context == context {
					names = append(names, r.name)
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Use is a name in an expression, with its place.
type Use struct {
	Name string
	Pos  flow.Pos
}

// Secrets lists the secrets that t names, in their order.
func (ps *Programs) Secrets(t *flow.Template, scope Scope) (uses []Use) {
	for i := range t.Parts {
		part := &t.Parts[i]
		if part.Expr == "" {
			continue
		}
		for _, r := range ps.get(scope, part.Expr).refs {
			if r.context == "secret" {
				uses = append(uses, Use{r.name, place(part, r.at)})
			}
		}
	}
	return uses
}

// Fixed returns the value of a condition that has the same one whatever the values, such as 1 == 2; false when it has not, or cannot
// be evaluated.
func (ps *Programs) Fixed(t *flow.Template) (value, ok bool) {
	if t == nil || len(t.Parts) != 1 || t.Parts[0].Expr == "" {
		return false, false
	}
	p := ps.get(When, t.Parts[0].Expr)
	if len(p.findings) > 0 {
		return false, false
	}
	if folded, ok := p.code.Node().(*ast.BoolNode); ok {
		return folded.Value, true
	}
	if len(p.names) > 0 {
		return false, false
	}
	value, err := ps.Bool(t, When, &Values{})
	return value, err == nil
}
