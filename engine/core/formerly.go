package core

import (
	"slices"
	"strings"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

// FormerFlows returns the names that a flow had before it was renamed as a whole: those of which every task of it was a task. What ran under
// such a name is not run again under the new one.
func FormerFlows(f *flow.Flow) []string {
	var names []string
	for i, t := range f.Tasks {
		var had []string
		for _, id := range t.Formerly {
			name, _, _ := strings.Cut(id, "/")
			if name != f.Name && (i == 0 || slices.Contains(names, name)) && !slices.Contains(had, name) {
				had = append(had, name)
			}
		}
		if names = had; len(names) == 0 {
			return nil
		}
	}
	return names
}

// Former takes what runs a period has under the former names of its flow, when it has none under the present one.
func Former(now engine.Existing, former []engine.Existing) engine.Existing {
	for _, was := range former {
		if now.Run == 0 {
			now.Run, now.State = was.Run, was.State
		}
	}
	return now
}
