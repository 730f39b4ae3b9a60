//go:build linux

package main_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowctl/engine"
	"flowctl/engine/api"
)

// pause is how often the tests of this package look at what no event tells: a server that is coming up, the table of processes.
const pause = 5 * time.Millisecond

// site is a flowctl system of real processes in a folder of its own.
type site struct {
	t          testing.TB
	dir        string // holds all of it; processes are told apart from others by its name
	repo, data string
	listen     string // address of the API
	agents     string // address for agents
}

// newSite makes a git repository of the files.
func newSite(t testing.TB, files map[string][]byte) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	s.repo, s.data = filepath.Join(s.dir, "repo"), filepath.Join(s.dir, "data")
	s.listen, s.agents = freePort(t), freePort(t)
	for name, content := range files {
		path := filepath.Join(s.repo, name)
		mode := os.FileMode(0o644)
		if bytes.HasPrefix(content, []byte("#!")) {
			mode = 0o755
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."}, {"commit", "-q", "-m", "flows"}} {
		cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		cmd.Dir = s.repo
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	t.Cleanup(s.clean)
	return s
}

// freePort returns a free port below those that the kernel gives to outgoing connections, so that it is still free
// when a server comes back to it.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 15_000+rand.IntN(15_000))
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

// clean ends what a failed test left, and shows the ends of the processes' logs.
func (s *site) clean() {
	for pid, line := range s.processes() {
		s.t.Errorf("left running: %d %s", pid, line)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if !s.t.Failed() {
		return
	}
	logs, _ := filepath.Glob(filepath.Join(s.dir, "*.log"))
	for _, path := range logs {
		text, _ := os.ReadFile(path)
		s.t.Logf("the end of %s:\n%s", filepath.Base(path), text[max(0, len(text)-4000):])
	}
}

// processes lists the processes of the site that have not ended: command lines by id.
func (s *site) processes() map[int]string {
	found := map[int]string{}
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		line, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
		environment, err := os.ReadFile(filepath.Join(folder, "environ"))
		if err != nil || len(line) == 0 || !bytes.Contains(line, []byte(s.dir)) && !bytes.Contains(environment, []byte(s.dir)) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(folder)); err == nil && pid != os.Getpid() {
			found[pid] = string(bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
		}
	}
	return found
}

// awaitNoProcess fails the test when processes of the site are left.
func (s *site) awaitNoProcess(within time.Duration) {
	s.t.Helper()
	var left map[int]string
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(pause) {
		if left = s.processes(); len(left) == 0 {
			return
		}
	}
	for pid, line := range left {
		s.t.Errorf("left running: %d %s", pid, line)
	}
}

// process is one that the test started.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	state *os.ProcessState // once it has ended
}

// environment is what every process of the site sees.
func (s *site) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "SITE=" + s.dir}
}

// start starts flowctl with what it prints appended to NAME.log.
func (s *site) start(name string, args ...string) *process {
	s.t.Helper()
	return s.startCommand(name, append([]string{os.Getenv(binaryVariable)}, args...)...)
}

// startCommand is start for another program.
func (s *site) startCommand(name string, command ...string) *process {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, name+".log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	p := &process{cmd: exec.Command(command[0], command[1:]...), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = s.dir, s.environment(), log, log
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		p.state = p.cmd.ProcessState
		close(p.ended)
	}()
	return p
}

// startServer starts a server with flags beside those that every server of the site has.
func (s *site) startServer(flags ...string) *process {
	s.t.Helper()
	return s.start("server", append([]string{"server", "--repo", s.repo, "--data", s.data, "--listen", s.listen, "--agents", s.agents}, flags...)...)
}

// kill ends the process with SIGKILL and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// terminate ends the process in good order.
func (p *process) terminate(t testing.TB) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		p.kill()
		t.Errorf("%s did not end within 30 seconds of SIGTERM", p.cmd.Args[1])
		return
	}
	if code := p.state.ExitCode(); code != 0 {
		t.Errorf("%s ended with %v after SIGTERM", p.cmd.Args[1], p.state)
	}
}

// awaitReady waits until the server says that it is ready.
func (s *site) awaitReady(server *process) {
	s.t.Helper()
	last := "it does not listen"
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(pause) {
		select {
		case <-server.ended:
			s.t.Fatalf("the server ended before it was ready: %v", server.state)
		default:
		}
		resp, err := http.Get("http://" + s.listen + "/readyz")
		if err != nil {
			continue
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
		last = body.String()
	}
	s.t.Fatalf("the server is not ready after 30 seconds: %s", last)
}

// client returns a client of the server's API.
func (s *site) client() engine.Service {
	s.t.Helper()
	token, err := os.ReadFile(filepath.Join(s.data, "admin-token"))
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := api.NewClient(api.ClientOptions{BaseURL: "http://" + s.listen, Token: strings.TrimSpace(string(token))})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// flowctl runs a command line against the server and returns what it printed and its exit code.
func (s *site) flowctl(ctx context.Context, args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	cmd := exec.CommandContext(ctx, os.Getenv(binaryVariable), args...)
	var out, problems bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, &out, &problems
	cmd.Env = append(s.environment(), "FLOWCTL_SERVER=http://"+s.listen, "FLOWCTL_DATA="+s.data)
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		s.t.Fatalf("flowctl %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), problems.String(), cmd.ProcessState.ExitCode()
}

// every reads a list page by page.
func every[T any](t testing.TB, read func(engine.Page) (*engine.List[T], error)) []T {
	t.Helper()
	var all []T
	for p := (engine.Page{Limit: 1000}); ; {
		l, err := read(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l.Items...)
		if l.Next == "" {
			return all
		}
		p.Cursor = l.Next
	}
}
