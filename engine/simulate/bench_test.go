package simulate

import (
	"testing"

	"flowctl/dsl/workload"
)

// BenchmarkMonth simulates a month of the flows of a data warehouse, on 50 slots. It reports task runs per second beside the time.
func BenchmarkMonth(b *testing.B) {
	folder, ok := workload.Folder()
	if !ok {
		b.Skip("FLOWCTL_WORKLOADS names no folder of recorded workloads")
	}
	repository, err := workload.BQETL(folder, workload.Options{CutKnots: true})
	if err != nil {
		b.Fatal(err)
	}
	p := compileFiles(b, repository)
	in := Input{
		Project: p, From: at(b, "2026-06-01"), To: at(b, "2026-07-01"), Slots: 50,
		Outcomes: outcomes(b, p, "tasks: [{task: '*/*', duration: 1m..20m, fail: 2%}]\n"),
	}
	var r *Result
	for b.Loop() {
		r = result(b, in)
	}
	b.ReportMetric(float64(r.Totals.TaskRuns)*float64(b.N)/b.Elapsed().Seconds(), "taskruns/s")
	b.Logf("%+v", r.Totals)
}
