package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk"
)

// Start implements sdk.Runner.
func (r *Runner) Start(_ context.Context, spec sdk.Spec) error {
	if !filepath.IsAbs(spec.Work) {
		return fmt.Errorf("work folder %q is not absolute: %w", spec.Work, sdk.ErrInvalid)
	}
	a, err := r.admit(spec)
	if a == nil || err != nil {
		return err
	}
	handle, err := r.fork(a, spec)
	close(a.begun)
	if err != nil {
		code := sdk.CodeStart
		if errors.Is(err, errLease) {
			code = sdk.CodeAgentLost
		}
		a.record(problem(code, "%v", err))
		return nil
	}
	if spec.Lease > 0 {
		go a.enforce()
	}
	if spec.Timeout > 0 {
		a.deadline()
	}
	go a.attend(handle)
	return nil
}

// admit takes a new attempt into memory and puts its start on record; nil: it was begun before.
func (r *Runner) admit(spec sdk.Spec) (*attempt, error) {
	a := &attempt{
		runner: r, work: spec.Work, home: r.home, refs: 1, begun: make(chan struct{}), done: make(chan struct{}),
		process: Begun{Work: spec.Work, Timeout: spec.Timeout, Grace: spec.Grace},
	}
	if a.process.Grace <= 0 {
		a.process.Grace = sdk.DefaultGrace
	}
	if spec.Timeout > 0 {
		a.process.Deadline = proc.Boot() + int64(spec.Timeout)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining {
		return nil, fmt.Errorf("the plugin process takes no new attempts: %w", sdk.ErrGone)
	}
	if r.live[spec.Work] != nil {
		return nil, nil
	}
	err := place(filepath.Join(r.home, cardFile), filepath.Join(spec.Work, startFile))
	if errors.Is(err, fs.ErrExist) {
		// A repeated start, or one that comes too late.
		if _, err := r.load(spec.Work); errors.Is(err, sdk.ErrUnknown) {
			return nil, fmt.Errorf("the attempt in %s was given up before it started: %w", spec.Work, sdk.ErrInvalid)
		}
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("record the start of %s: %w", spec.Attempt, err)
	}
	r.live[spec.Work] = a
	return a, nil
}

// fork starts the process of an attempt that is on record.
func (r *Runner) fork(a *attempt, spec sdk.Spec) (*proc.Handle, error) {
	// The agent may be another user, and makes a hole in a log that is too long. Who else comes near it, the folder says.
	log, err := os.OpenFile(filepath.Join(a.work, logFile), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o660)
	if err != nil {
		return nil, err
	}
	a.log = log
	c, err := r.commander.Command(spec)
	if err != nil {
		return nil, err
	}
	if c.Env == nil {
		c.Env = spec.Env
	}
	if c.Dir == "" {
		c.Dir = spec.Dir
	}
	path, err := lookup(c)
	if err != nil {
		return nil, err
	}
	args := append(append(make([]string, 0, len(c.Args)+1), c.Path), c.Args...)
	env := append(append(make([]string, 0, len(c.Env)+1), c.Env...), Mark(a.work))
	files := [3]uintptr{r.null.Fd(), log.Fd(), log.Fd()}
	if spec.Lease > 0 {
		if err := lease(a.work, spec.Lease, c.Elsewhere); err != nil {
			return nil, err
		}
	}
	b, handle, err := r.journal.start(a.process, func() (int, *proc.Handle, error) { return proc.Fork(path, args, env, c.Dir, files) })
	if err != nil {
		return nil, explain(err, path, c.Dir)
	}
	a.process = b
	return handle, nil
}

// explain says what the kernel does not: which of the two paths was wrong.
func explain(err error, path, dir string) error {
	if s, statErr := os.Stat(dir); dir != "" && (statErr != nil || !s.IsDir()) {
		return fmt.Errorf("start %s: the working directory %s is not there", path, dir)
	}
	return fmt.Errorf("start %s: %w", path, err)
}

// lookup finds the program as a shell in the task's environment would.
func lookup(c Command) (string, error) {
	if strings.Contains(c.Path, "/") {
		if filepath.IsAbs(c.Path) {
			return c.Path, nil
		}
		return filepath.Join(c.Dir, c.Path), nil
	}
	search := "/usr/local/bin:/usr/bin:/bin"
	for _, e := range c.Env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			search = v
		}
	}
	for _, folder := range filepath.SplitList(search) {
		path := filepath.Join(folder, c.Path)
		if s, err := os.Stat(path); err == nil && s.Mode().IsRegular() && s.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("start %s: %w in PATH %s", c.Path, fs.ErrNotExist, search)
}
