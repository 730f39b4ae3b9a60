package docs_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long the demo may take to get to where it serves, and to end. A busy machine needs a part of it.
const patience = 3 * time.Minute

// TestDemoAndTutorial runs the demo, compares what it prints with the README, types the tutorial into a shell beside it, and ends it
// as Ctrl-C does.
func TestDemoAndTutorial(t *testing.T) {
	t.Parallel()
	root := checkout(t)
	var seen output
	served := seen.await("\n--- serving ")
	demo := exec.Command("python3", filepath.Join(root, "scripts", "demo"))
	demo.Env = append(without(os.Environ(), "DEMO_DIR", "DEMO_EXIT"), "DEMO_PORT="+freePort(t))
	demo.Stdout, demo.Stderr = &seen, &seen
	demo.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	var status error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		status = demo.Wait()
	}()
	t.Cleanup(func() {
		_ = demo.Process.Signal(syscall.SIGTERM) // it may have ended
		<-ended
	})

	select {
	case <-served:
	case <-ended:
		t.Fatalf("the demo ended (%v) before it served:\n%s", status, seen.String())
	case <-time.After(patience):
		t.Fatalf("the demo does not serve after %s:\n%s", patience, seen.String())
	}
	report, _, _ := strings.Cut(seen.String(), "\n--- serving ")
	_, report, _ = strings.Cut(report, "--- one week")
	shown := strings.Split(strings.TrimRight(blocks(t, "../README.md", "text")[0].text, "\n"), "\n")
	if missing, ok := shows("--- one week"+report, shown); !ok {
		t.Errorf("../README.md shows\n%s\nwhich the demo did not print (in this place):\n%s", missing, report)
	}

	tutorial := readSession(t, "tutorial.md")
	shell := exec.CommandContext(t.Context(), "bash", "-c", tutorial.script())
	shell.Dir = root
	shell.Env = without(os.Environ(), "FLOWCTL_SERVER", "FLOWCTL_TOKEN", "FLOWCTL_TOKEN_FILE")
	typed, err := shell.CombinedOutput()
	if err != nil {
		t.Errorf("the shell: %v", err)
	}
	tutorial.compare(t, string(typed))

	if err := demo.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
		if status != nil || !strings.Contains(seen.String(), "nothing it started is left running") {
			t.Errorf("after Ctrl-C the demo ended with %v:\n%s", status, seen.String())
		}
	case <-time.After(patience):
		t.Errorf("the demo goes on after Ctrl-C:\n%s", seen.String())
	}
}

// checkout makes a folder that looks like a built checkout to the demo and its reader.
func checkout(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(root, "bin", "flowctl"), "../cmd/flowctl")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build flowctl: %v\n%s", err, out)
	}
	if err := os.CopyFS(filepath.Join(root, "flows"), os.DirFS("../flows")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../scripts/demo")
	if err == nil {
		err = errors.Join(os.Mkdir(filepath.Join(root, "scripts"), 0o700), os.WriteFile(filepath.Join(root, "scripts", "demo"), text, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// freePort returns a port that nobody uses just now. The demo takes the next free ones when that changes.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it was only asked for its number
	return strconv.Itoa(min(l.Addr().(*net.TCPAddr).Port, 65000))
}

func without(environ []string, names ...string) []string {
	var rest []string
	for _, v := range environ {
		keep := true
		for _, name := range names {
			keep = keep && !strings.HasPrefix(v, name+"=")
		}
		if keep {
			rest = append(rest, v)
		}
	}
	return rest
}

// output keeps what a process prints, and tells when a text is in it.
type output struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	text    string
	waiting chan struct{}
}

// await returns a channel that is closed once the text was printed. It is called before the process starts.
func (o *output) await(text string) <-chan struct{} {
	o.text, o.waiting = text, make(chan struct{})
	return o.waiting
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf.Write(p)
	if o.waiting != nil && strings.Contains(o.buf.String(), o.text) {
		close(o.waiting)
		o.waiting = nil
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
