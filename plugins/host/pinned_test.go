package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flowctl/plugins/sdk"
)

// foreign is a host with the shell runner as a plugin of a third party, whose executable differs with its remark.
type foreign struct {
	*Host
	t    *testing.T
	path string
}

func openForeign(t *testing.T, dir, plugins string) *foreign {
	t.Helper()
	h := open(t, dir)
	h.options.Builtin, h.options.PluginDir = nil, plugins
	return &foreign{h, t, filepath.Join(plugins, "flowctl-runner-shell")}
}

// install puts an executable in place, as a package manager does, and returns its SHA-256.
func (f *foreign) install(remark string) string {
	f.t.Helper()
	text := fmt.Sprintf("#!/bin/sh\n# %s\nexec '%s' plugin serve shell\n", remark, f.options.Self)
	if err := errors.Join(os.WriteFile(f.path+".new", []byte(text), 0o700), os.Rename(f.path+".new", f.path)); err != nil {
		f.t.Fatal(err)
	}
	sum, err := Sum(f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	return sum
}

func (f *foreign) runner(pins ...string) *Process {
	f.t.Helper()
	p, err := f.Runner(f.t.Context(), "shell", "", pins)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

// pinsOf takes what is in the plugin folder for locked.
func pinsOf(h *Host, kind, name string) []string {
	sum, err := Sum(filepath.Join(h.options.PluginDir, "flowctl-"+kind+"-"+name))
	if err != nil {
		return nil
	}
	return []string{sum}
}

func TestRefusesWhatIsNotPinned(t *testing.T) {
	t.Parallel()
	h := openForeign(t, t.TempDir(), t.TempDir())
	sum := h.install("one")
	other := strings.Repeat("0", 64)
	for _, c := range []struct {
		pins []string
		want []string
	}{
		{nil, []string{h.path, "is not in plugins.lock", "flowctl plugin lock"}},
		{[]string{other}, []string{h.path, sum, "wants " + other, "flowctl plugin lock"}},
	} {
		_, err := h.Runner(t.Context(), "shell", "", c.pins)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("pins %v: %v, want %q in it", c.pins, err, want)
			}
		}
	}
	if left, err := os.ReadDir(filepath.Join(h.options.Dir)); err != nil || len(left) != 0 {
		t.Errorf("something was launched: %v, %v", left, err)
	}
	first := h.runner(other, sum)
	if again := h.runner(sum); again != first {
		t.Error("a process whose executable has not changed was replaced")
	}
	if _, err := h.Runner(t.Context(), "shell", "", []string{other}); err == nil {
		t.Error("a running process served for flows that do not lock it")
	}
}

// TestExecutableIsReplaced lets an attempt go on in the process of the old executable, while the new one takes those that lock it.
func TestExecutableIsReplaced(t *testing.T) {
	t.Parallel()
	dir, plugins := t.TempDir(), t.TempDir()
	h := openForeign(t, dir, plugins)
	one := h.install("one")
	p := h.runner(one)
	flag := filepath.Join(t.TempDir(), "go")
	spec := script(t, "echo began; while ! [ -e "+flag+" ]; do sleep 0.01; done; exit 5")
	if err := p.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	two := h.install("two")
	if _, err := h.Runner(t.Context(), "shell", "", []string{one}); err == nil || !strings.Contains(err.Error(), two) {
		t.Errorf("a new attempt of flows that lock the old executable: %v", err)
	}
	if err := p.Start(t.Context(), script(t, "true")); !errors.Is(err, sdk.ErrGone) {
		t.Errorf("the old process takes new attempts: %v", err)
	}
	if held, err := h.Holder(t.Context(), "shell", "", []string{one}); err != nil || held.PID() != p.PID() {
		t.Errorf("who holds the attempt: %v, %v; want %d", held, err, p.PID())
	}
	q := h.runner(two)
	if q.PID() == p.PID() {
		t.Fatal("the process of the old executable takes attempts of the new one")
	}
	// Another host, as after a restart: the old process is found again for its attempt.
	again := openForeign(t, dir, plugins)
	if r := again.runner(two); r.PID() != q.PID() {
		t.Errorf("got process %d, want the running one %d", r.PID(), q.PID())
	}
	for range 2 {
		held, err := again.Holder(t.Context(), "shell", "", []string{one})
		if err != nil || held.PID() != p.PID() {
			t.Fatalf("who holds the attempt: %v, %v; want %d", held, err, p.PID())
		}
		if found, err := held.Recover(t.Context(), spec.Work); err != nil || found != sdk.Running {
			t.Errorf("recover: %v, %v", found, err)
		}
	}
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := again.Holder(t.Context(), "shell", "", []string{one})
	if err != nil {
		t.Fatal(err)
	}
	if r, log := wait(t, held, spec.Work); r.ExitCode != 5 || log != "began\n" {
		t.Errorf("got %+v and log %q", r, log)
	}
	ended(t, p.card.PID)
	// Who did not hear of the end in time asks a new process of the old executable.
	late, err := again.Holder(t.Context(), "shell", "", []string{one})
	if err != nil || late.PID() == p.PID() || late.PID() == q.PID() {
		t.Fatalf("who tells of the attempt: %v, %v", late, err)
	}
	if found, err := late.Recover(t.Context(), spec.Work); err != nil || found != sdk.Finished {
		t.Errorf("recover: %v, %v", found, err)
	}
	if r, log := wait(t, late, spec.Work); r.ExitCode != 5 || log != "began\n" {
		t.Errorf("got %+v and log %q", r, log)
	}
	if r := again.runner(two); r.PID() != q.PID() {
		t.Errorf("got process %d, want the running one %d", r.PID(), q.PID())
	}
	if _, err := again.Holder(t.Context(), "shell", "", []string{strings.Repeat("0", 64)}); err == nil {
		t.Error("an executable that is not pinned holds attempts")
	}
}

// TestRunsTheCopy overwrites an executable in place while it runs: what runs is a copy.
func TestRunsTheCopy(t *testing.T) {
	t.Parallel()
	h := openForeign(t, t.TempDir(), t.TempDir())
	p := h.runner(h.install("one"))
	copied := func(process string) error {
		_, err := os.Stat(filepath.Join(h.options.Dir, "runner-shell", process, copies, "flowctl-runner-shell"))
		return err
	}
	if err := copied("1"); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(h.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.path, append(text, "# more\n"...), 0o700); err != nil {
		t.Fatal(err)
	}
	sum, err := Sum(h.path)
	if err != nil {
		t.Fatal(err)
	}
	q := h.runner(sum)
	if q.PID() == p.PID() {
		t.Error("the process of an executable that was overwritten is used")
	}
	ended(t, p.card.PID)
	ended(t, p.card.Keeper)
	if err := q.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.runner(sum)
	if one, two := copied("1"), copied("2"); one != nil || !errors.Is(two, os.ErrNotExist) {
		t.Errorf("of dead processes, the copy of another executable is to stay, that of the present one to go: %v, %v", one, two)
	}
}

// TestSumsOnce reads an executable again only when it is another.
func TestSumsOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil { // the clock of files is coarse
		t.Fatal(err)
	}
	var s summed
	if sum, err := s.of(path); err != nil || !strings.HasPrefix(sum, "7692c3ad3540bb80") {
		t.Fatalf("%s, %v", sum, err)
	}
	s.sum = "kept"
	if sum, err := s.of(path); err != nil || sum != "kept" {
		t.Errorf("it was read again: %s, %v", sum, err)
	}
	if err := os.WriteFile(path, []byte("two"), 0o600); err != nil { // of the same length
		t.Fatal(err)
	}
	if sum, err := s.of(path); err != nil || !strings.HasPrefix(sum, "3fc4ccfe745870e2") {
		t.Errorf("%s, %v", sum, err)
	}
}

// TestForeignAsAnotherUser launches a third party's plugin as a user who can enter neither its folder nor that of the host.
func TestForeignAsAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can launch plugins as other users")
	}
	dir := t.TempDir()
	for at := dir; at != os.TempDir() && len(at) > 1; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	h := openForeign(t, filepath.Join(dir, "processes"), t.TempDir())
	binary, err := os.ReadFile(h.options.Self) // its folder is closed to others
	if err != nil {
		t.Fatal(err)
	}
	h.options.Self = filepath.Join(dir, "flowctl")
	if err := os.WriteFile(h.options.Self, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := h.Runner(t.Context(), "shell", "nobody", []string{h.install("one")})
	if err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp("", "flowctl-work-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(work) })
	if err := os.Chmod(work, 0o777); err != nil {
		t.Fatal(err)
	}
	spec := script(t, "id -un")
	spec.Work = filepath.Join(work, "1")
	if err := p.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if r, log := wait(t, p, spec.Work); r.State != sdk.Succeeded || log != "nobody\n" {
		t.Errorf("got %+v, log %q", r, log)
	}
}
