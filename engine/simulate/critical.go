package simulate

import (
	"slices"

	"flowctl/engine"
)

// criticalPath follows the causes back from the task run that ended last to the creation of its run.
func (w *world) criticalPath(r *traced) []Link {
	path := []Link{}
	t := r.last()
	if t == nil {
		return path
	}
	on := map[*tracedTask]bool{}
	for at, end := r, t.row.Finished; !on[t]; {
		on[t] = true
		first := t.attempts[0]
		link := Link{
			Name: at.row.Name(t.row.Task), By: first.ready.by, ReadyAt: first.ready.at.Time(),
			StartedAt: first.row.Assigned.Time(), FinishedAt: end.Time(),
		}
		if first.assigned.at > first.ready.at {
			link.By, link.Slot = first.assigned.by, true
		}
		path = append(path, link)
		if link.By.Kind != ByEnd || first.row.Assigned <= r.row.Created {
			break
		}
		at = w.trace.runs[link.By.run]
		t = at.tasks[link.By.task]
		end = t.attempt(link.By.attempt).row.Finished // which is before its last one's, if it was tried again
	}
	slices.Reverse(path)
	return path
}

func (t *tracedTask) attempt(id engine.AttemptID) *tracedAttempt {
	i := slices.IndexFunc(t.attempts, func(a tracedAttempt) bool { return a.row.ID == id })
	return &t.attempts[i]
}

// last returns the task run that ended last; nil while the run has not ended, and when nothing of it ran.
func (r *traced) last() (last *tracedTask) {
	if r.row.State == engine.RunActive {
		return nil
	}
	for _, name := range sorted(r.tasks) {
		t := r.tasks[name]
		if len(t.attempts) > 0 && t.row.Finished != 0 && (last == nil || t.row.Finished > last.row.Finished) {
			last = t
		}
	}
	return last
}
