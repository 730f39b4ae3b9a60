package simulate

import (
	"slices"
	"strings"
	"time"

	"flowctl/engine"
)

// Learn returns how long attempts of each task took that succeeded: the median, by flow/task.
func Learn(attempts []engine.AttemptView) map[string]time.Duration {
	took := map[string][]time.Duration{}
	for _, a := range attempts {
		if a.State == engine.Succeeded && a.StartedAt != nil && a.FinishedAt != nil {
			task, _, _ := strings.Cut(a.TaskRun, "@")
			took[task] = append(took[task], a.FinishedAt.Sub(*a.StartedAt))
		}
	}
	learnt := make(map[string]time.Duration, len(took))
	for task, all := range took {
		slices.Sort(all)
		learnt[task] = all[len(all)/2]
	}
	return learnt
}
