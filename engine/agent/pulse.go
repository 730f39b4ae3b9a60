package agent

import (
	"cmp"
	"context"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"

	"flowctl/engine"
	"flowctl/engine/wire"
)

// beatEvery is how often an agent tells how its machine is doing.
const beatEvery = 10 * time.Second

// machine measures the machine. What it cannot be asked stays zero.
type machine struct {
	dir string // whose file system is looked at

	mu          sync.Mutex
	busy, total float64 // processor time of all cores up to the last look, in seconds
}

// host describes the machine and this agent.
func (m *machine) host(o *Options) engine.Host {
	name, _ := os.Hostname() // it may have none
	h := engine.Host{
		Name: name, Started: o.Now(), Interval: beatEvery, CPU: int64(runtime.NumCPU()) * 1000, Plugins: o.Installed,
		Users: o.Users, TaskCPU: int64(o.CPU * 1000), TaskMemory: o.Memory,
	}
	if v, err := mem.VirtualMemory(); err == nil {
		h.Memory = int64(v.Total)
	}
	h.TaskCPU, h.TaskMemory = cmp.Or(h.TaskCPU, h.CPU), cmp.Or(h.TaskMemory, h.Memory)
	return h
}

// beat measures. The use of the processors is that since the last beat, at first since the machine was started.
func (m *machine) beat(ctx context.Context) engine.Beat {
	b := engine.Beat{CPU: m.used(ctx)}
	if l, err := load.AvgWithContext(ctx); err == nil {
		b.Load = int64(l.Load1 * 1000)
	}
	if v, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		b.MemoryFree = int64(v.Available)
	}
	if u, err := disk.UsageWithContext(ctx, m.dir); err == nil {
		b.Disk, b.DiskFree = int64(u.Total), int64(u.Free)
	}
	return b
}

func (m *machine) used(ctx context.Context) int64 {
	times, err := cpu.TimesWithContext(ctx, false)
	if err != nil || len(times) == 0 {
		return 0
	}
	t := times[0]
	idle := t.Idle + t.Iowait
	busy := t.User + t.Nice + t.System + t.Irq + t.Softirq + t.Steal
	m.mu.Lock()
	defer m.mu.Unlock()
	passed := busy + idle - m.total
	used := busy - m.busy
	m.busy, m.total = busy, busy+idle
	if passed <= 0 {
		return 0
	}
	return int64(min(max(used/passed, 0), 1) * 1000)
}

// beat tells how the machine is doing, and whether it takes attempts.
func (a *Agent) beat(ctx context.Context) engine.Beat {
	b := a.machine.beat(ctx)
	b.Full = a.admission.full(ctx)
	return b
}

// pulse sends beats until the stream ends.
func (a *Agent) pulse(s *session) {
	every := time.NewTicker(beatEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			s.out.beaten(wire.FromBeat(a.beat(s.ctx)))
		case <-s.ctx.Done():
			return
		}
	}
}
