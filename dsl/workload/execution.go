package workload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Execution is a workflow as it was once executed.
type Execution struct {
	Name     string
	Makespan time.Duration // from the first start to the last end
	Tasks    []Executed    // a task's parents come anywhere in the list
}

// Executed is one task of an Execution.
type Executed struct {
	Name    string
	Runtime time.Duration
	Parents []int // indexes into Execution.Tasks
}

// Executions reads wfinstances.json in the given folder.
func Executions(folder string) ([]Execution, error) {
	var recorded []struct {
		Name     string     `json:"name"`
		Makespan float64    `json:"makespan_s"`
		Tasks    []Executed `json:"tasks"`
	}
	if err := readFacts(folder, "wfinstances.json", &recorded); err != nil {
		return nil, err
	}
	executions := make([]Execution, len(recorded))
	for i, r := range recorded {
		executions[i] = Execution{r.Name, seconds(r.Makespan), r.Tasks}
		for _, t := range r.Tasks {
			for _, p := range t.Parents {
				if p < 0 || p >= len(r.Tasks) {
					return nil, fmt.Errorf("read workload: %s: task %s has the parent %d of %d", r.Name, t.Name, p, len(r.Tasks))
				}
			}
		}
	}
	return executions, nil
}

// UnmarshalJSON reads [name, seconds, [parent, …]].
func (e *Executed) UnmarshalJSON(text []byte) error {
	var runtime float64
	if err := json.Unmarshal(text, &[]any{&e.Name, &runtime, &e.Parents}); err != nil {
		return err
	}
	e.Runtime = seconds(runtime)
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Repository makes one flow on demand of the execution; run gives the command of each task, such as "true" or
// "sleep 0.1".
func (e Execution) Repository(run func(Executed) string) Repository {
	var b bytes.Buffer
	fmt.Fprintf(&b, "flow: %s\nteam: science\ntasks:\n", e.Name)
	for _, t := range e.Tasks {
		fmt.Fprintf(&b, "  %s:\n    run: %q\n", t.Name, run(t))
		if len(t.Parents) > 0 {
			b.WriteString("    needs:\n")
		}
		for _, p := range t.Parents {
			fmt.Fprintf(&b, "      - %s\n", e.Tasks[p].Name)
		}
	}
	return Repository{
		"flowctl.yaml": []byte("version: 1\n"),
		"teams.yaml":   []byte("people:\n  ada: {name: Ada}\nteams:\n  science: {members: [ada]}\n"),
		"flow.yaml":    b.Bytes(),
	}
}
