package host

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"flowctl/plugins/sdk"
)

// TestKilledPlugins kills the plugin process at random instants under a stream of short tasks. Whatever the instant, every task
// ran at most once, one that ran is known with its own exit code and its whole log, and one that is called not started did not run.
// FLOWCTL_TEST_SEED replays a run's instants.
func TestKilledPlugins(t *testing.T) {
	t.Parallel()
	kills := 200
	if testing.Short() {
		kills = 20
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("FLOWCTL_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("FLOWCTL_TEST_SEED=%d", seed)
	h := open(t, t.TempDir())
	c := &crash{t: t, host: h, folder: t.TempDir()}
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for w := range 3 {
		workers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					c.task(fmt.Sprintf("%d-%d", w, n), 1+n%200)
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(seed, 1))
	for range kills {
		p, err := h.Runner(t.Context(), "shell", "", nil)
		if err != nil {
			t.Error(err)
			break
		}
		time.Sleep(time.Duration(random.IntN(20_000)) * time.Microsecond) // the random instant is the test
		_ = syscall.Kill(p.PID(), syscall.SIGKILL)
		<-p.Gone()
	}
	close(stop)
	workers.Wait()
	t.Logf("%d tasks: %d found again, %d never started", c.tasks.Load(), c.recovered.Load(), c.never.Load())
	if c.recovered.Load() == 0 {
		t.Error("no kill hit a task")
	}
}

type crash struct {
	t      *testing.T
	host   *Host
	folder string

	tasks, recovered, never atomic.Int64
}

// task runs one task through whatever deaths come, and checks what is known of it in the end.
func (c *crash) task(name string, code int) {
	c.tasks.Add(1)
	spec := sdk.Spec{
		Attempt: name, Work: filepath.Join(c.folder, name), Dir: "/", Env: []string{"PATH=/usr/bin:/bin"},
		Text: fmt.Sprintf("echo ran >>%s/%s.ran; echo begin; [ %d -gt 20 ] || sleep 0.02; echo end; exit %d", c.folder, name, code, code),
	}
	log, result, started, err := c.attempt(spec)
	if err != nil {
		c.t.Errorf("%s: %v", name, err)
		return
	}
	ran, _ := os.ReadFile(filepath.Join(c.folder, name+".ran"))
	switch {
	case !started || result.Code == sdk.CodeStart:
		c.never.Add(1)
		if len(ran) > 0 {
			c.t.Errorf("%s is said not to have started (%+v), but it ran %q", name, result, ran)
		}
	case result.ExitCode != code || log != "begin\nend\n" || string(ran) != "ran\n":
		c.t.Errorf("%s: got %+v, log %q, ran %q; want exit code %d", name, result, log, ran, code)
	}
}

// attempt starts a task and returns its log and result, through any number of plugin processes.
func (c *crash) attempt(spec sdk.Spec) (string, sdk.Result, bool, error) {
	ctx := c.t.Context()
	begun := false
	for {
		p, err := c.host.Runner(ctx, "shell", "", nil)
		if errors.Is(err, sdk.ErrGone) { // killed while it was launched
			continue
		}
		if err != nil {
			return "", sdk.Result{}, false, err
		}
		if !begun {
			begun = true
			err = p.Start(ctx, spec)
		} else {
			var found sdk.Recovered
			if found, err = p.Recover(ctx, spec.Work); err == nil && found == sdk.NotStarted {
				return "", sdk.Result{}, false, nil
			}
			c.recovered.Add(1)
		}
		if errors.Is(err, sdk.ErrGone) {
			continue
		}
		if err != nil {
			return "", sdk.Result{}, false, err
		}
		var log []byte
		result, err := p.Wait(ctx, spec.Work, 0, func(_ int64, data []byte) error {
			log = append(log, data...)
			return nil
		})
		if errors.Is(err, sdk.ErrGone) {
			continue
		}
		return string(log), result, true, err
	}
}
