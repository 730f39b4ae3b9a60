package workload_test

import (
	"runtime"
	"testing"
	"time"

	"flowctl/dsl"
	"flowctl/dsl/dsltest"
	"flowctl/dsl/workload"
)

// BenchmarkCompileBQETL compiles the repository of a real warehouse from nothing; x-parse is its time over that of parsing the same files.
func BenchmarkCompileBQETL(b *testing.B) {
	var files []dsl.File
	for path, text := range bqetl(b, workload.Options{CutKnots: true}) {
		files = append(files, dsl.File{Path: path, Mode: 0o644, Data: text})
	}
	var baseline time.Duration
	for b.Loop() {
		b.StopTimer()
		runtime.GC()
		start := time.Now()
		if err := dsltest.Parse(files); err != nil {
			b.Fatal(err)
		}
		baseline += time.Since(start)
		runtime.GC()
		b.StartTimer()
		if project, found := dsl.New().Compile(files); project == nil {
			b.Fatalf("%+v", found[0])
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(baseline), "x-parse")
}
