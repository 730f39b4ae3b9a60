package wire

import (
	"time"

	"flowctl/engine"
)

// FromHost puts what an agent says of its machine on the wire.
func FromHost(h engine.Host) *Host {
	w := &Host{
		Name: h.Name, Started: h.Started.UnixMicro(), Interval: h.Interval.Microseconds(), CpuMilli: h.CPU, Memory: h.Memory,
		TaskCpuMilli: h.TaskCPU, TaskMemory: h.TaskMemory, Users: h.Users,
	}
	for _, p := range h.Plugins {
		w.Plugins = append(w.Plugins, &Plugin{Kind: p.Kind, Name: p.Name, Version: p.Version})
	}
	return w
}

// ToHost takes it off the wire; a nil one, of an agent that says nothing, is the zero host.
func ToHost(w *Host) engine.Host {
	if w == nil {
		return engine.Host{}
	}
	h := engine.Host{
		Name: w.Name, Started: time.UnixMicro(w.Started).UTC(), Interval: time.Duration(w.Interval) * time.Microsecond,
		CPU: w.CpuMilli, Memory: w.Memory,
		TaskCPU: w.TaskCpuMilli, TaskMemory: w.TaskMemory, Users: w.Users,
	}
	for _, p := range w.Plugins {
		h.Plugins = append(h.Plugins, engine.Plugin{Kind: p.Kind, Name: p.Name, Version: p.Version})
	}
	return h
}

// FromBeat puts a beat on the wire.
func FromBeat(b engine.Beat) *Beat {
	return &Beat{Cpu: b.CPU, Load: b.Load, MemoryFree: b.MemoryFree, Disk: b.Disk, DiskFree: b.DiskFree, Full: b.Full}
}

// ToBeat takes a beat off the wire; a nil one is the zero beat.
func ToBeat(w *Beat) engine.Beat {
	return engine.Beat{
		CPU: w.GetCpu(), Load: w.GetLoad(), MemoryFree: w.GetMemoryFree(), Disk: w.GetDisk(), DiskFree: w.GetDiskFree(), Full: w.GetFull(),
	}
}
