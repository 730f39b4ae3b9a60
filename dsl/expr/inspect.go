package expr

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/expr-lang/expr/ast"
)

// finding is a Problem with a place inside the expression, in characters.
type finding struct {
	at                  int
	rule, message, hint string
}

// reference is a use of a name whose existence the caller knows: params.x, matrix.x or needs.x.
type reference struct {
	context, name string
	at            int
}

// inspector walks an expression once: it collects what is used, refuses what is not bounded or not known here, and turns
// comparisons of outputs with text into comparisons of text.
type inspector struct {
	scope    Scope
	names    []string // contexts to fill in before running
	refs     []reference
	outputs  []Output
	findings []finding

	secrets []*ast.CallNode       // each use of a secret; those that are only joined are taken out
	params  []*ast.IdentifierNode // each use of params
	quoted  map[*ast.IdentifierNode]bool
	direct  map[*ast.IdentifierNode]bool // contexts followed by a constant name
}

func (in *inspector) report(n ast.Node, rule, message, hint string) {
	in.findings = append(in.findings, finding{n.Location().From, rule, message, hint})
}

// refuse also takes the node out, so that nothing expensive is done with it.
func (in *inspector) refuse(n *ast.Node, message, hint string) {
	in.report(*n, BadExpression, message, hint)
	ast.Patch(n, &ast.NilNode{})
}

// Visit is called for each node, children first.
func (in *inspector) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		in.identifier(n)
	case *ast.MemberNode:
		in.member(n)
	case *ast.CallNode:
		in.call(node, n)
	case *ast.BinaryNode:
		in.binary(node, n)
	case *ast.BuiltinNode:
		textArguments(n.Name, n.Arguments)
	case *ast.PointerNode:
		ast.Patch(node, &ast.NilNode{}) // the closure around it is reported
	case *ast.PredicateNode:
		in.refuse(node, "closures are not available in templates", "compute it in a task and pass it on as an output")
	case *ast.VariableDeclaratorNode, *ast.SequenceNode:
		in.refuse(node, "variables and sequences are not available in templates", "write the value where it is used")
	}
}

func (in *inspector) identifier(n *ast.IdentifierNode) {
	name := n.Value
	switch {
	case name == "secret" && !slices.Contains(contexts(in.scope), name):
		in.report(n, BadExpression, "a secret may not stand here, where others could read it", "pass it through env or with")
		return
	case name == "$env":
		in.report(n, BadExpression, "$env is not available", "name a context, such as params.table")
		return
	case !slices.Contains(contexts(Config), name):
		return // a function, or unknown to the type checker
	case in.scope == Peer && name != "secret":
		in.report(n, BadExpression, fmt.Sprintf("%s is not known here: connections and channels belong to no run", name), "write the value, or secret('name')")
		return
	case !slices.Contains(contexts(in.scope), name):
		in.report(n, BadExpression, fmt.Sprintf("%s is not known yet when the run is created", name), "use period, params, matrix, ds, ds_nodash or hour")
		return
	}
	if !slices.Contains(in.names, name) {
		in.names = append(in.names, name)
	}
	if name == "params" {
		in.params = append(in.params, n)
	}
}

func (in *inspector) member(n *ast.MemberNode) {
	if o, ok := outputOf(n); ok {
		in.outputs = append(in.outputs, o)
	}
	context, ok := n.Node.(*ast.IdentifierNode)
	if !ok {
		return
	}
	if name, ok := n.Property.(*ast.StringNode); ok {
		in.direct[context] = true
		in.refs = append(in.refs, reference{context.Value, name.Value, n.Property.Location().From})
	} else if isNamed(context.Value) {
		in.direct[context] = true
		in.report(n, BadExpression, fmt.Sprintf("%s must be followed by a name that is known now", context.Value), fmt.Sprintf("write %s.name or %s['name']", context.Value, context.Value))
	}
}

// isNamed tells whether the names in a context are checked.
func isNamed(context string) bool {
	return context == "params" || context == "matrix" || context == "needs"
}

func (in *inspector) call(node *ast.Node, n *ast.CallNode) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		in.refuse(node, "methods are not available in templates", "use date(t, '%Y%m%d') and shift(t, '-1d')")
		return
	}
	textArguments(callee.Value, n.Arguments)
	switch callee.Value {
	case "secret":
		in.secret(n)
	case "quote":
		for i := range n.Arguments {
			ast.Walk(&n.Arguments[i], quotes{in})
		}
	case "date":
		in.constant(n, func(s string) error { _, err := dateFunc("2026-11-19", s); return err })
	case "shift":
		in.constant(n, func(s string) error { _, err := shiftFunc("2026-11-19", s); return err })
	}
}

// secret wants the name of the secret to be known now, and its value to be needed by nobody but the agent.
func (in *inspector) secret(n *ast.CallNode) {
	in.secrets = append(in.secrets, n)
	if len(n.Arguments) != 1 {
		return // the type checker says it
	}
	if name, ok := n.Arguments[0].(*ast.StringNode); ok {
		in.refs = append(in.refs, reference{"secret", name.Value, name.Location().From})
		return
	}
	in.report(n.Arguments[0], BadExpression, "the name of a secret must be known when the repository is compiled", "write secret('name')")
}

// joined marks the secrets whose values are only joined to other text, or chosen, below a node.
func (in *inspector) joined(n ast.Node) {
	switch n := n.(type) {
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok && callee.Value == "secret" {
			in.secrets = slices.DeleteFunc(in.secrets, func(s *ast.CallNode) bool { return s == n })
		}
	case *ast.BinaryNode:
		if n.Operator == "+" {
			in.joined(n.Left)
			in.joined(n.Right)
		}
	case *ast.ConditionalNode:
		in.joined(n.Exp1)
		in.joined(n.Exp2)
	}
}

// constant checks a second argument that is known now.
func (in *inspector) constant(n *ast.CallNode, check func(string) error) {
	if len(n.Arguments) != 2 {
		return // the type checker says it
	}
	if s, ok := n.Arguments[1].(*ast.StringNode); ok {
		if err := check(s.Value); err != nil {
			in.report(s, BadExpression, err.Error(), "")
		}
	}
}

func (in *inspector) binary(node *ast.Node, n *ast.BinaryNode) {
	switch n.Operator {
	case "..":
		in.refuse(node, "ranges are not available in templates", "list the values: x in [1, 2, 3]")
	case "==", "!=", "<", ">", "<=", ">=", "+":
		if isText(n.Left) {
			asText(&n.Right)
		} else if isText(n.Right) {
			asText(&n.Left)
		}
	case "matches", "contains", "startsWith", "endsWith":
		asText(&n.Left)
	case "in":
		list, ok := n.Right.(*ast.ArrayNode)
		if ok && len(list.Nodes) > 0 && !slices.ContainsFunc(list.Nodes, func(n ast.Node) bool { return !isText(n) }) {
			asText(&n.Left)
		}
	}
}

// isText tells whether n is text whatever the values: a literal, or typed so.
func isText(n ast.Node) bool {
	if _, ok := n.(*ast.StringNode); ok {
		return true
	}
	t := n.Type()
	return t != nil && t.Kind() == reflect.String
}

// textArguments gives functions of text the outputs among their arguments as text.
func textArguments(function string, arguments []ast.Node) {
	switch function {
	case "trim", "trimPrefix", "trimSuffix", "upper", "lower", "split", "hasPrefix", "hasSuffix", "indexOf", "lastIndexOf", "replace", "date":
		for i := range arguments {
			asText(&arguments[i])
		}
	}
}

// asText makes n text when it is an output.
func asText(n *ast.Node) {
	value, ok := (*n).(*ast.MemberNode)
	if !ok {
		return
	}
	outputs, ok := value.Node.(*ast.MemberNode)
	if !ok {
		return
	}
	if name, ok := outputs.Property.(*ast.StringNode); ok && name.Value == "outputs" {
		ast.Patch(n, &ast.CallNode{Callee: &ast.IdentifierNode{Value: textName}, Arguments: []ast.Node{value}})
	}
}

// quotes marks the uses of params inside quote().
type quotes struct{ in *inspector }

func (q quotes) Visit(node *ast.Node) {
	if n, ok := (*node).(*ast.IdentifierNode); ok {
		q.in.quoted[n] = true
	}
}

// finish reports what only the whole expression tells.
func (in *inspector) finish() {
	for _, n := range in.params {
		if in.scope == Run && !in.quoted[n] {
			in.report(n, UnquotedParam, "a parameter stands unquoted in code, so whoever starts a run could run anything",
				"write quote(params.name), or pass it through env")
		}
		if !in.direct[n] {
			in.report(n, BadExpression, "params holds many values", "name one: params.name")
		}
	}
}
