package process

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk"
)

func TestExplained(t *testing.T) {
	t.Parallel()
	silent, cut, told := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(cut, explainFile), []byte(`{"co`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Explain(told, sdk.CodeLost, "out of reach"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		work string
		exit exitRecord
		want string
	}{
		"no explanation":       {silent, exitOf(proc.Exit{Code: ExitExplained}), sdk.CodeExit},
		"one that is cut off":  {cut, exitOf(proc.Exit{Code: ExitExplained}), sdk.CodeExit},
		"an explanation":       {told, exitOf(proc.Exit{Code: ExitExplained}), sdk.CodeLost},
		"not its exit code":    {told, exitOf(proc.Exit{Code: 1}), sdk.CodeExit},
		"it succeeded instead": {told, exitOf(proc.Exit{}), ""},
		"it was killed":        {told, exitOf(proc.Exit{Code: -1, Signal: 9}), sdk.CodeSignal},
	} {
		if got := result(explained(c.work, c.exit), causeRecord{}); got.Code != c.want {
			t.Errorf("%s: got %+v, want %q", name, got, c.want)
		}
	}
}

// far is a Commander whose work goes on elsewhere when its process has ended.
type far struct{ settled, release chan struct{} }

func (far) Describe() sdk.Description              { return sdk.Description{Name: "far", Kind: sdk.KindRunner} }
func (far) Validate(json.RawMessage) []sdk.Problem { return nil }
func (far) Command(spec sdk.Spec) (Command, error) {
	return Command{Path: "/bin/sh", Args: []string{"-c", spec.Text}}, nil
}
func (f far) Settle(string) { f.settled <- struct{}{}; <-f.release }

// The end of an attempt is told when nothing of it runs elsewhere, not before: the next attempt may start at once.
func TestSettlesBeforeTheEndIsTold(t *testing.T) {
	t.Parallel()
	f := far{make(chan struct{}), make(chan struct{})}
	r, err := Open(filepath.Join(t.TempDir(), "home"), f)
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(t.TempDir(), "work")
	if err := r.Start(t.Context(), sdk.Spec{Work: work, Dir: "/", Text: "kill -KILL $$"}); err != nil {
		t.Fatal(err)
	}
	<-f.settled
	if found, err := r.Recover(t.Context(), work); err != nil || found != sdk.Running {
		t.Errorf("while it is being settled: %v, %v", found, err)
	}
	close(f.release)
	got, err := r.Wait(t.Context(), work, 0, func(int64, []byte) error { return nil })
	if err != nil || got.Code != sdk.CodeSignal {
		t.Errorf("%+v, %v", got, err)
	}
}
