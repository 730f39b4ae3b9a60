package expr

import (
	"cmp"
	"slices"

	"github.com/expr-lang/expr/ast"

	"flowctl/dsl/flow"
)

// Output is an output of an upstream task that an expression reads.
type Output struct {
	Need string // as written; of a task with a matrix, the name before its expansion
	Name string
}

// Outputs lists the outputs that t reads by a constant name, sorted.
func (ps *Programs) Outputs(t *flow.Template, scope Scope) []Output {
	if t == nil {
		return nil
	}
	var found []Output
	for i := range t.Parts {
		if source := t.Parts[i].Expr; source != "" {
			found = append(found, ps.get(scope, source).outputs...)
		}
	}
	slices.SortFunc(found, func(a, b Output) int { return cmp.Or(cmp.Compare(a.Need, b.Need), cmp.Compare(a.Name, b.Name)) })
	return slices.Compact(found)
}

// outputOf recognises needs.NEED.outputs.NAME, and needs.NEED.KEY.outputs.NAME.
func outputOf(n *ast.MemberNode) (Output, bool) {
	name, constant := n.Property.(*ast.StringNode)
	outputs, member := n.Node.(*ast.MemberNode)
	if !constant || !member || !isString(outputs.Property, "outputs") {
		return Output{}, false
	}
	for at := outputs.Node; ; {
		m, ok := at.(*ast.MemberNode)
		if !ok {
			return Output{}, false
		}
		if context, ok := m.Node.(*ast.IdentifierNode); ok {
			need, constant := m.Property.(*ast.StringNode)
			if context.Value != "needs" || !constant {
				return Output{}, false
			}
			return Output{need.Value, name.Value}, true
		}
		at = m.Node
	}
}

func isString(n ast.Node, value string) bool {
	s, ok := n.(*ast.StringNode)
	return ok && s.Value == value
}
