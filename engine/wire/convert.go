package wire

import (
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// FromAssignment puts an assignment on the wire.
func FromAssignment(a *engine.Assignment) *Assignment {
	w := &Assignment{
		Attempt: int64(a.Attempt), Run: int64(a.Run), Flow: a.Flow, Task: a.Task, RunName: a.RunName,
		Version: int64(a.Version), No: int64(a.No), Runner: a.Runner,
		Revision: int64(a.Revision), Tree: a.Tree, Folder: a.Folder,
		Text: a.Text, File: a.File, With: a.With, Env: a.Env, RunAs: a.RunAs, Inputs: a.Inputs, Outputs: a.Outputs, Timeout: a.Timeout, Lease: a.Lease,
		PeriodStart: int64(a.PeriodStart), PeriodEnd: int64(a.PeriodEnd), PeriodLabel: a.PeriodLabel,
	}
	for _, arg := range a.Args {
		w.Args = append(w.Args, &Arg{Name: arg.Name, Value: arg.Value})
	}
	return w
}

// ToAssignment takes an assignment off the wire.
func ToAssignment(w *Assignment) *engine.Assignment {
	a := &engine.Assignment{
		Attempt: engine.AttemptID(w.Attempt), Run: engine.RunID(w.Run), Flow: w.Flow, Task: w.Task, RunName: w.RunName,
		Version: int(w.Version), No: int(w.No), Runner: w.Runner,
		Revision: engine.RevisionID(w.Revision), Tree: w.Tree, Folder: w.Folder,
		Text: w.Text, File: w.File, With: w.With, Env: w.Env, RunAs: w.RunAs, Inputs: w.Inputs, Outputs: w.Outputs, Timeout: w.Timeout, Lease: w.Lease,
		PeriodStart: period.Instant(w.PeriodStart), PeriodEnd: period.Instant(w.PeriodEnd), PeriodLabel: w.PeriodLabel,
	}
	for _, arg := range w.Args {
		a.Args = append(a.Args, engine.AssignmentArg{Name: arg.Name, Value: arg.Value})
	}
	return a
}

// FromReport puts a report on the wire. Only the report of an end carries a result.
func FromReport(r engine.Report) *Report {
	w := &Report{Attempt: int64(r.Attempt), Kind: uint32(r.Kind), Missing: r.Missing, Message: r.Message, Full: r.Full}
	if r.Kind == engine.ReportFinished {
		w.Result = FromResult(r.Result)
	}
	return w
}

// ToReport takes a report off the wire.
func ToReport(w *Report) engine.Report {
	return engine.Report{
		Attempt: engine.AttemptID(w.Attempt), Kind: engine.ReportKind(w.Kind), Result: ToResult(w.Result),
		Missing: w.Missing, Message: w.Message, Full: w.Full,
	}
}

// FromResult puts a result on the wire.
func FromResult(r engine.Result) *Result {
	return &Result{
		State: string(r.State), Code: string(r.Code), Message: r.Message, ExitCode: int64(r.ExitCode),
		Outputs: r.Outputs, MaxRss: r.MaxRSS, Cpu: r.CPU, Read: r.Read, Written: r.Written,
	}
}

// ToResult takes a result off the wire; a nil one is the zero result.
func ToResult(w *Result) engine.Result {
	return engine.Result{
		State: engine.State(w.GetState()), Code: engine.ErrorCode(w.GetCode()), Message: w.GetMessage(),
		ExitCode: int(w.GetExitCode()), Outputs: w.GetOutputs(), MaxRSS: w.GetMaxRss(), CPU: w.GetCpu(),
		Read: w.GetRead(), Written: w.GetWritten(),
	}
}

// Reports takes a list of reports off the wire.
func Reports(ws []*Report) []engine.Report {
	rs := make([]engine.Report, len(ws))
	for i, w := range ws {
		rs[i] = ToReport(w)
	}
	return rs
}

// AttemptIDs takes a list of attempts off the wire.
func AttemptIDs(ws []int64) []engine.AttemptID {
	ids := make([]engine.AttemptID, len(ws))
	for i, w := range ws {
		ids[i] = engine.AttemptID(w)
	}
	return ids
}

// FromAttemptIDs puts a list of attempts on the wire.
func FromAttemptIDs(ids []engine.AttemptID) []int64 {
	ws := make([]int64, len(ids))
	for i, id := range ids {
		ws[i] = int64(id)
	}
	return ws
}

// FromPlugins puts locked plugins on the wire.
func FromPlugins(list []*flow.Plugin) (pins []*Pin) {
	for _, p := range list {
		pins = append(pins, &Pin{Name: p.Name, Sha256: p.SHA256})
	}
	return pins
}
