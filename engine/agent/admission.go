package agent

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
)

// Admission is up to which point an agent takes attempts. Zero fields do not limit.
type Admission struct {
	MaxLoad       float64 // load average of a minute, per core
	MinFreeMemory int64   // bytes
}

// admissionLook is how long the answer of the machine is good for.
const admissionLook = time.Second

// admission tells whether the machine can take an attempt.
type admission struct {
	Admission
	now func() time.Time

	mu     sync.Mutex
	looked time.Time
	why    string
}

// full says why the machine can take none; empty = it can. What it cannot be asked does not limit.
func (a *admission) full(ctx context.Context) string {
	if a.Admission == (Admission{}) {
		return ""
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.now(); a.looked.IsZero() || now.Sub(a.looked).Abs() >= admissionLook {
		a.looked, a.why = now, a.look(ctx)
	}
	return a.why
}

func (a *admission) look(ctx context.Context) string {
	if a.MaxLoad > 0 {
		if l, err := load.AvgWithContext(ctx); err == nil {
			if per := l.Load1 / float64(runtime.NumCPU()); per > a.MaxLoad {
				return fmt.Sprintf("the load is %.2f per core, more than %g", per, a.MaxLoad)
			}
		}
	}
	if a.MinFreeMemory > 0 {
		if v, err := mem.VirtualMemoryWithContext(ctx); err == nil && int64(v.Available) < a.MinFreeMemory {
			return fmt.Sprintf("%d MiB of memory are free, less than %d", v.Available>>20, a.MinFreeMemory>>20)
		}
	}
	return ""
}
