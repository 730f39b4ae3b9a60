package dsl_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestRuleIDsAreDeclaredOnce looks for ids written as text where findings are made: package diag declares them all.
func TestRuleIDsAreDeclaredOnce(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 4 {
				return true
			}
			rule := map[string]int{"report": 1, "reportAt": 1, "errorAt": 1, "warningAt": 1, "warn": 1, "unknown": 1, "find": 3}[calledName(call)]
			if rule == 0 {
				return true
			}
			calls++
			if _, literal := call.Args[rule].(*ast.BasicLit); literal {
				t.Errorf("%s: the rule is given as text: declare it in dsl/diag/rule.go and use the constant", set.Position(call.Args[rule].Pos()))
			}
			return true
		})
	}
	if calls < 50 {
		t.Errorf("only %d findings are made: the test looks for the wrong names", calls)
	}
}

func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}
