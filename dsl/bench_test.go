package dsl_test

import (
	"runtime"
	"testing"
	"time"

	"flowctl/dsl"
	"flowctl/dsl/dsltest"
)

// timeOf measures do, beginning without garbage of what went before.
func timeOf(do func()) time.Duration {
	runtime.GC()
	start := time.Now()
	do()
	return time.Since(start)
}

// BenchmarkCompile1000 compiles 1,000 files of 10 tasks from nothing; x-parse is its time over that of parsing the same files.
func BenchmarkCompile1000(b *testing.B) {
	files := dsltest.Repository(1000, 10)
	var baseline time.Duration
	for b.Loop() {
		b.StopTimer()
		baseline += timeOf(func() {
			if err := dsltest.Parse(files); err != nil {
				b.Fatal(err)
			}
		})
		runtime.GC()
		b.StartTimer()
		if project, found := dsl.New().Compile(files); project == nil {
			b.Fatalf("%+v", found[0])
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(baseline), "x-parse")
}

// BenchmarkRecompileOneOf1000 compiles again after one file of 1,000 changed; x-full is its time over that of a full compile.
func BenchmarkRecompileOneOf1000(b *testing.B) {
	files := dsltest.Repository(1000, 10)
	c := dsl.New()
	full := timeOf(func() { dsl.New().Compile(files) })
	for range 2 {
		full = min(full, timeOf(func() { dsl.New().Compile(files) }))
	}
	c.Compile(files)
	for i := 0; b.Loop(); i++ {
		f := &files[2+500]
		f.Data = append([]byte(dsltest.Flow(500, 10)), []byte("# "+time.Duration(i).String()+"\n")...)
		if project, found := c.Compile(files); project == nil {
			b.Fatalf("%+v", found[0])
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(full), "x-full")
}
