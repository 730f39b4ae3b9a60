//go:build linux

package cli

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"flowctl/dsl/dsltest"
)

// BenchmarkValidate1000 runs the built command on 1,000 files of 10 tasks; x-parse is the time of the whole process over that of
// parsing the same files on all cores, with nothing else done. MB-peak is the most memory that a process held.
func BenchmarkValidate1000(b *testing.B) { benchmarkValidate(b, 1000) }

// BenchmarkValidate10000 is the same with 10,000 files.
func BenchmarkValidate10000(b *testing.B) { benchmarkValidate(b, 10_000) }

func benchmarkValidate(b *testing.B, n int) {
	root := b.TempDir()
	files := dsltest.Repository(n, 10)
	for _, f := range files {
		name := filepath.Join(root, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	binary := filepath.Join(b.TempDir(), "flowctl")
	if out, err := exec.Command("go", "build", "-o", binary, "flowctl/cmd/flowctl").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	var baseline time.Duration
	var peak int64
	for b.Loop() {
		b.StopTimer()
		baseline += timeOf(b, func() error { return dsltest.Parse(files) })
		b.StartTimer()
		cmd := exec.Command(binary, "validate", root)
		cmd.Stdout, cmd.Stderr = io.Discard, os.Stderr
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		peak = max(peak, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(baseline), "x-parse")
	b.ReportMetric(float64(peak)/1024, "MB-peak")
}

// timeOf measures do, beginning without garbage of what went before.
func timeOf(b *testing.B, do func() error) time.Duration {
	runtime.GC()
	start := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}
