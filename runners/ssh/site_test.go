//go:build linux

package ssh

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
	"flowctl/runners/ssh/sshdtest"
)

// TestMain lets this binary be the near half.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "near" {
		os.Exit(Session(os.Getenv(process.EnvWork)))
	}
	os.Exit(m.Run())
}

// runner is the runner with this binary as its near half.
func runner(t testing.TB) Runner {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Runner{Near: []string{self, "near"}}
}

// server is an sshd with what the tests of this package ask of it.
type server struct{ *sshdtest.Server }

func sshd(t testing.TB, options ...string) *server {
	t.Helper()
	return &server{sshdtest.Start(t, options...)}
}

// site executes attempts as an agent does.
type site struct {
	t      testing.TB
	runner *process.Runner
	dir    string
}

func newSite(t testing.TB) *site {
	t.Helper()
	r, err := process.Open(filepath.Join(t.TempDir(), "home"), runner(t))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, runner: r, dir: t.TempDir()}
	t.Cleanup(func() { // an end is told before it is recorded, and the folders go next
		recorded := make(chan struct{}, 1)
		r.Drained(func() {
			select {
			case recorded <- struct{}{}:
			default:
			}
		})
		if r.Drain() > 0 {
			select {
			case <-recorded:
			case <-time.After(10 * time.Second): // the test has failed, and left something running
			}
		}
	})
	return s
}

// start begins an attempt in an empty folder, unless the spec says otherwise.
func (s *site) start(name string, spec sdk.Spec) string {
	s.t.Helper()
	spec.Attempt, spec.Work = name, filepath.Join(s.dir, name)
	if spec.Dir == "" {
		spec.Dir = s.t.TempDir()
	}
	spec.Env = append(spec.Env, "FLOWCTL_OUTPUT="+filepath.Join(spec.Work, "output"))
	if err := s.runner.Start(s.t.Context(), spec); err != nil {
		s.t.Fatal(err)
	}
	return spec.Work
}

// wait returns the result and the log. seen is called when the log has grown.
func (s *site) wait(work string, seen func(log string)) (sdk.Result, string) {
	s.t.Helper()
	var log bytes.Buffer
	r, err := s.runner.Wait(s.t.Context(), work, 0, func(_ int64, data []byte) error {
		log.Write(data)
		if seen != nil {
			seen(log.String())
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return r, log.String()
}

func (s *site) run(spec sdk.Spec) (sdk.Result, string) {
	s.t.Helper()
	return s.wait(s.start(fmt.Sprintf("attempt-%d", len(entries(s.t, s.dir))), spec), nil)
}

func entries(t testing.TB, dir string) []string {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	names := make([]string, len(found))
	for i, f := range found {
		names[i] = f.Name()
	}
	return names
}
