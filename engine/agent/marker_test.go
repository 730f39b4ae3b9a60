package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"flowctl/engine"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sensor/file"
)

// write puts a file below the workspace of agent one.
func (r *rig) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, "one", "workspace", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// An attempt that succeeds by its outputs is judged by what they were before its start, also by an agent that did not see the start.
func TestSuccessByOutputs(t *testing.T) {
	t.Parallel()
	failed := sdk.Result{State: sdk.Failed, Code: sdk.CodeExit, ExitCode: 3}
	for name, test := range map[string]struct {
		does    func(r *rig)
		ends    sdk.Result
		code    engine.ErrorCode // empty = succeeds
		message string
	}{
		"all are made":     {func(r *rig) { r.write("new", "x"); r.write("old/_SUCCESS", "now") }, success, "", ""},
		"one is not there": {func(r *rig) { r.write("old/_SUCCESS", "now") }, success, engine.CodeOutputs, "new is not there"},
		"one is as it was": {func(r *rig) { r.write("new", "x") }, success, engine.CodeOutputs, "old/ has not changed"},
		"nothing is made":  {func(*rig) {}, success, engine.CodeOutputs, "new is not there, old/ has not changed"},
		"the exit code":    {func(r *rig) { r.write("new", "x"); r.write("old/_SUCCESS", "now") }, failed, engine.CodeExit, ""},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				r.plugin.files = file.Sensor{}
				r.write("old/_SUCCESS", "before")
				_, stop := r.connected("one")
				as := assignment(1)
				as.Outputs = []string{"new", "old/"}
				r.hub.Assign("one", []*engine.Assignment{as})
				p := r.started()
				nextReport(t, r.events, 1, engine.ReportStarted)
				if restart {
					if err := stop(); err != nil {
						t.Fatal(err)
					}
					next[lost](t, r.events)
				}
				test.does(r)
				p.exit(test.ends)
				if restart {
					r.connected("one")
				}
				res := nextReport(t, r.events, 1, engine.ReportFinished).Result
				if res.Code != test.code || (res.State == engine.Succeeded) != (test.code == "") || !strings.HasSuffix(res.Message, test.message) {
					t.Errorf("result %+v", res)
				}
			})
		}
	}
}

// A sensor that cannot look, or cannot tell versions, lets nothing start that would be judged by it.
func TestOutputsThatCannotBeJudged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connected("one")
	r.plugin.paths["there"] = true
	for path, message := range map[string]string{"there": "cannot tell whether it changes", "s3://bucket/x": "could not be checked"} {
		as := assignment(1)
		as.Outputs = []string{path}
		r.hub.Assign("one", []*engine.Assignment{as})
		if got := nextReport(t, r.events, 1, engine.ReportRefused); !strings.Contains(got.Message, message) {
			t.Errorf("refused: %+v", got)
		}
	}
}

// TestZombiesAreSettledByTheirOutputs: nobody knows how the process ended, whether the runner says so or has no record of it.
func TestZombiesAreSettledByTheirOutputs(t *testing.T) {
	t.Parallel()
	unknown := sdk.Result{State: sdk.Failed, Code: sdk.CodeLost, ExitCode: -1, Message: "the machine was restarted"}
	for name, test := range map[string]struct {
		does    func(r *rig)
		outputs bool
		state   engine.State
		message string
	}{
		"its outputs have changed": {func(r *rig) { r.write("new", "x") }, true, engine.Succeeded, "; all its outputs have changed since it began"},
		"one is not there":         {func(*rig) {}, true, engine.Failed, "; of its outputs new is not there"},
		"its exit code counts":     {func(r *rig) { r.write("new", "x") }, false, engine.Failed, ""},
	} {
		for _, recorded := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				r.plugin.files = file.Sensor{}
				a, _ := r.connected("one")
				as := assignment(1)
				if test.outputs {
					as.Outputs = []string{"new"}
				}
				r.hub.Assign("one", []*engine.Assignment{as})
				p := r.started()
				nextReport(t, r.events, 1, engine.ReportStarted)
				test.does(r)
				if err := os.WriteFile(filepath.Join(a.folderOf(1), outputFile), []byte("rows=7\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				why := unknown.Message
				if recorded {
					p.exit(unknown)
				} else {
					why = "how it ended is not known: the runner has no record of it"
					r.plugin.mu.Lock()
					delete(r.plugin.all, a.folderOf(1))
					r.plugin.mu.Unlock()
					p.lose()
				}
				res := nextReport(t, r.events, 1, engine.ReportFinished).Result
				if res.Code != engine.CodeLost || res.State != test.state || res.Message != why+test.message {
					t.Errorf("result %+v", res)
				}
				if got := res.Outputs["rows"]; (got == "7") != (test.state == engine.Succeeded) {
					t.Errorf("outputs %v", res.Outputs)
				}
			})
		}
	}
}

// shaky is a sensor whose first checks after a while fail.
type shaky struct {
	file.Sensor
	fails *atomic.Int32
}

func (s shaky) Check(ctx context.Context, base string, paths []string) ([]sdk.PathState, error) {
	if s.fails.Add(-1) >= 0 {
		return nil, errors.New("the name node does not answer")
	}
	return s.Sensor.Check(ctx, base, paths)
}

func TestAFailingCheckOfOutputsIsRepeated(t *testing.T) {
	t.Parallel()
	for fails, state := range map[int32]engine.State{recheckTries: engine.Succeeded, recheckTries + 1: engine.Failed} {
		r := newRig(t)
		sensor := shaky{fails: new(atomic.Int32)}
		r.plugin.files = sensor
		r.connected("one")
		as := assignment(1)
		as.Outputs = []string{"new"}
		r.hub.Assign("one", []*engine.Assignment{as})
		p := r.started()
		nextReport(t, r.events, 1, engine.ReportStarted)
		r.write("new", "x")
		sensor.fails.Store(fails)
		p.exit(success)
		res := nextReport(t, r.events, 1, engine.ReportFinished).Result
		if res.State != state || strings.Contains(res.Message, "could not be checked") != (state == engine.Failed) {
			t.Errorf("after %d checks that failed: %+v", fails, res)
		}
	}
}
