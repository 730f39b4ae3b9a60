package host

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"flowctl/plugins/sdk"
)

// BenchmarkStartWait measures an attempt of `true`, from Start to the result of Wait, against raw fork and exec of `sh -c true` in
// the same run: x-raw is the ratio of wall times, cpu-us the CPU time on both ends of the socket beyond that of raw forks.
func BenchmarkStartWait(b *testing.B) {
	for _, parallel := range []int{1, 8} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			b.ReportAllocs()
			h := open(b, b.TempDir())
			p := shellOf(b, h)
			work := b.TempDir()
			var n atomic.Int64
			attempt := func() {
				dir := filepath.Join(work, fmt.Sprint(n.Add(1)))
				spec := sdk.Spec{Work: dir, Dir: "/", Text: "true", Env: []string{"PATH=/usr/bin:/bin"}}
				if err := p.Start(b.Context(), spec); err != nil {
					b.Error(err)
					return
				}
				r, err := p.Wait(b.Context(), dir, 0, func(int64, []byte) error { return nil })
				if err != nil || r.State != sdk.Succeeded {
					b.Errorf("%+v, %v", r, err)
				}
			}
			raw := func() {
				if err := forkShell(); err != nil {
					b.Error(err)
				}
			}
			times(parallel, 50, attempt)
			before := own()
			rawTime := times(parallel, b.N, raw)
			rawCPU := own() - before
			before = cpu(b, p.PID()) + own()
			b.ResetTimer()
			took := times(parallel, b.N, attempt)
			b.StopTimer()
			b.ReportMetric(float64(took)/float64(rawTime), "x-raw")
			b.ReportMetric(float64((cpu(b, p.PID())+own()-before-rawCPU).Microseconds())/float64(b.N), "cpu-us/op")
			b.ReportMetric(float64(rawTime.Microseconds())/float64(b.N), "raw-us/op")
		})
	}
}

// times runs f n times on as many goroutines as asked and returns how long that took.
func times(parallel, n int, f func()) time.Duration {
	var left atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	begin := time.Now()
	for range parallel {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				f()
			}
		})
	}
	all.Wait()
	return time.Since(begin)
}

func forkShell() error {
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "true"}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}, Env: []string{"PATH=/usr/bin:/bin"}})
	if err != nil {
		return err
	}
	_, err = syscall.Wait4(pid, nil, 0, nil)
	return err
}

// own is the CPU time of this process.
func own() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cpu is the CPU time of another process, without its children, from its schedstats.
func cpu(b *testing.B, pid int) time.Duration {
	b.Helper()
	var sum time.Duration
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range tasks {
		content, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var ns int64
		if _, err := fmt.Sscan(string(content), &ns); err == nil {
			sum += time.Duration(ns)
		}
	}
	return sum
}
