package dsl

import (
	"slices"
	"strconv"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// formerTasks lists tasks by the ids that they had, before matrix expansion.
func (r *compilation) formerTasks() map[string]flow.TaskRef {
	former := make(map[string]flow.TaskRef)
	for _, name := range r.names {
		for _, d := range r.drafts[name].tasks {
			if d.options == nil {
				continue
			}
			for _, id := range d.options.formerly {
				former[id.value] = flow.TaskRef{Flow: name, Task: d.name.value} // a second claim is reported
			}
		}
	}
	return former
}

// followRenames leads needs on ids that no task has any more to the tasks that had them.
func (b *builder) followRenames(d *taskDraft) *taskDraft {
	out := d
	for i, n := range d.needs {
		from := n.flow
		if from == "" {
			from = b.draft.name.value
		}
		to, renamed := b.former[from+"/"+n.task]
		if f := b.drafts[from]; !renamed || f != nil && f.has(n.task) {
			continue
		}
		if out == d {
			changed := *d
			changed.needs = slices.Clone(d.needs)
			out = &changed
		}
		out.needs[i].flow, out.needs[i].task = to.Flow, to.Task
		b.depend(from)
	}
	return out
}

// has tells whether the flow has a task of that name, before or after matrix expansion.
func (f *flowDraft) has(task string) bool {
	_, ok := f.names[task]
	return ok || f.expanded[task] != nil
}

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
	d := errorAt(id.at, diag.Duplicate, hint, message)
	d.Related = relatedAt(at, related)
	r.add(d)
}

// taskNow returns where the task of an id is defined.
func (r *compilation) taskNow(id string) (flow.Pos, bool) {
	name, task, _ := strings.Cut(id, "/")
	f := r.drafts[name]
	if f == nil || !f.has(task) {
		return flow.Pos{}, false
	}
	for _, d := range f.tasks {
		if d.name.value == baseName(task) {
			return d.name.at, true
		}
	}
	return flow.Pos{}, false
}
