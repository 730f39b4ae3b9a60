package dsl

import (
	"strconv"
	"strings"

	"flowctl/dsl/flow"
)

// formerIDs reports ids that two tasks claim to have had, and ids that some task has now: their history cannot belong to two.
func (r *compilation) formerIDs() {
	claimed := make(map[string]flow.Pos)
	for _, b := range r.built {
		for _, d := range b.written {
			if d.options == nil {
				continue
			}
			for _, id := range d.options.formerly {
				if first, taken := claimed[id.value]; taken {
					r.formerly(id, "keep it at one of them", "a second task that was "+strconv.Quote(id.value), first, "the first is here")
				} else {
					claimed[id.value] = id.at
				}
				if at, exists := r.taskNow(id.value); exists {
					r.formerly(id, "remove it, or rename the task that is there", "there is a task "+strconv.Quote(id.value)+" now", at, "defined here")
				}
			}
		}
	}
}

func (r *compilation) formerly(id text, hint, message string, at flow.Pos, related string) {
	d := errorAt(id.at, "duplicate", hint, message)
	d.Related = relatedAt(at, related)
	r.add(d)
}

// taskNow returns where the task of an id is defined.
func (r *compilation) taskNow(id string) (flow.Pos, bool) {
	name, task, _ := strings.Cut(id, "/")
	f := r.drafts[name]
	if f == nil {
		return flow.Pos{}, false
	}
	for _, d := range f.tasks {
		if d.name.value == task || len(f.expanded[d.name.value]) > 0 && baseName(task) == d.name.value {
			return d.name.at, true
		}
	}
	return flow.Pos{}, false
}
