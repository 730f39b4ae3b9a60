package engine

import "time"

// Host is what an agent says of its machine and of itself when its stream opens.
type Host struct {
	Name     string        `json:"name"`      // of the machine
	Started  time.Time     `json:"started"`   // the agent
	Interval time.Duration `json:"interval"`  // between its beats
	CPU      int64         `json:"cpu_milli"` // its cores, in thousandths
	Memory   int64         `json:"memory"`    // bytes
	// What tasks that say what they need may take altogether, in the same units, and the users of the operating system as whom tasks may run.
	TaskCPU    int64    `json:"task_cpu_milli"`
	TaskMemory int64    `json:"task_memory"`
	Users      []string `json:"users"`
	Plugins    []Plugin `json:"plugins"` // what it can launch
}

// Plugin is one that an agent has.
type Plugin struct {
	Kind    string `json:"kind"` // runner, sensor
	Name    string `json:"name"`
	Version string `json:"version"` // empty: not known before its first launch
}

// Beat is what an agent says of its machine every few seconds. Fields are zero where the machine does not tell.
type Beat struct {
	CPU        int64 // thousandths of all cores that were busy since the last beat
	Load       int64 // the load average of a minute, in thousandths, over all cores
	MemoryFree int64 // bytes that can be had
	Disk       int64 // bytes of the file system that holds the agent's data
	DiskFree   int64
	Full       string // why it takes no attempt at present; empty = it does
}
