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
	b.ReportMetric(compileTime(b, 1000)/parseTime(b, 1000), "x-parse")
}

// BenchmarkCompile10000 compiles 10,000 files of 10 tasks from nothing; x-linear is its time over ten times that of 1,000.
func BenchmarkCompile10000(b *testing.B) {
	few := compileTime(b, 1000)
	many := compileTime(b, 10_000)
	b.ReportMetric(many/parseTime(b, 10_000), "x-parse")
	b.ReportMetric(many/few/10, "x-linear")
}

// compileTime returns the seconds of a compile of so many files from nothing, as often as the benchmark wants.
func compileTime(b *testing.B, files int) float64 {
	repository := dsltest.Repository(files, 10)
	return secondsOf(b, func() {
		if project, found := dsl.New().Compile(repository); project == nil {
			b.Fatalf("%+v", found[0])
		}
	})
}

// parseTime returns the seconds of parsing the same files, and nothing else.
func parseTime(b *testing.B, files int) float64 {
	repository := dsltest.Repository(files, 10)
	return secondsOf(b, func() {
		if err := dsltest.Parse(repository); err != nil {
			b.Fatal(err)
		}
	})
}

func secondsOf(b *testing.B, do func()) float64 {
	var sum time.Duration
	for range b.N {
		sum += timeOf(do)
	}
	return sum.Seconds() / float64(b.N)
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
