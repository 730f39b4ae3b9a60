package flow

import "time"

// Options are what few tasks say. Tasks that say the same by way of defaults share one value, so it is never nil and never written.
type Options struct {
	Connection string `json:"connection,omitempty"` // its settings are part of With

	Signals           []string      `json:"signals,omitempty"` // third-party data that it waits for, joined by the period rule
	Gate              *Gate         `json:"gate,omitempty"`
	DependencyTimeout time.Duration `json:"dependency_timeout,omitempty"` // dependencies unmet by then are late; 0 = never
	OutputTimeout     time.Duration `json:"output_timeout,omitempty"`     // not succeeded by then is late; 0 = never
	Success           Success       `json:"success"`
	Pool              *PoolUse      `json:"pool,omitempty"`
	RunAs             string        `json:"run_as,omitempty"` // an account; the agent's own when empty
	Resources         Resources     `json:"resources,omitzero"`
	OnAgentLost       OnAgentLost   `json:"on_agent_lost"`
	LostAfter         time.Duration `json:"lost_after,omitempty"` // unless OnLostWait: silence that counts as loss; 0 = 10 minutes
	Formerly          []string      `json:"formerly,omitempty"`   // ids that it had: flow/task
	Alerts            *Alerts       `json:"alerts"`               // never nil
}

// Gate is a data-quality service that is asked once all dependencies are met, and releases the task by a callback.
type Gate struct {
	URL     *Template     `json:"url"`
	Timeout time.Duration `json:"timeout,omitempty"` // 0 = none
}

// Success says what makes an attempt succeed.
type Success string

// The success criteria.
const (
	SuccessExit    Success = "exit"    // the exit code
	SuccessOutputs Success = "outputs" // each output's marker has changed since the start
)

// PoolUse is how many slots of a pool a task takes while it runs.
type PoolUse struct {
	Name  string `json:"name"`
	Slots int    `json:"slots"`
}

// Resources are what a task needs of its host; 0 is unknown.
type Resources struct {
	CPU    float64 `json:"cpu,omitempty"`    // cores
	Memory int64   `json:"memory,omitempty"` // bytes
}

// OnAgentLost says what becomes of an attempt whose agent is lost.
type OnAgentLost string

// What becomes of it.
const (
	OnLostWait    OnAgentLost = "wait"    // it goes on, and is adopted when the agent returns
	OnLostRestart OnAgentLost = "restart" // another one starts once it has surely ended
	OnLostFail    OnAgentLost = "fail"    // its task run fails once it has surely ended, whatever `retry` says
)

// DataEdge is a dependency by data: To reads what From writes.
type DataEdge struct {
	From TaskRef `json:"from"`
	To   TaskRef `json:"to"`
	Path string  `json:"path"` // as the reader writes it
	Pos  Pos     `json:"pos"`  // of the reader's input
}

// TaskRef names a task.
type TaskRef struct {
	Flow string `json:"flow"`
	Task string `json:"task"`
}
