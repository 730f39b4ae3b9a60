package dsl

import (
	"slices"
	"testing"
)

// Every field of a flow and of a task has its place in the canonical order, once.
func TestFieldsHaveTheirOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		shape shape
		order []string
	}{
		"flowOrder":                {flowShape, keyOrder(nil, []string{"flow"})},
		"taskOrder":                {taskShape, keyOrder([]string{"tasks", "t"}, nil)},
		"taskOrder, for templates": {templateShape, keyOrder([]string{"templates", "t"}, nil)},
	} {
		for _, field := range c.shape.fields {
			if !slices.Contains(c.order, field) {
				t.Errorf("%s, in format.go, lacks %q", name, field)
			}
		}
		sorted := slices.Sorted(slices.Values(c.order))
		if len(slices.Compact(sorted)) != len(c.order) {
			t.Errorf("%s, in format.go, names a field twice", name)
		}
	}
}
