package ssh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"flowctl/plugins/sdk/process"
)

// begunFile is in the work folder as long as something of the attempt may run on the host.
const begunFile = "remote"

// session is the near half of an attempt.
type session struct {
	order    order
	settings settings
	work     string
	log      *counter
	term     chan struct{} // closed when we are told to end
	kill     chan struct{} // closed when most of the grace is over
}

// Session executes the attempt whose work folder this is: it is the near half. It returns the exit code for main, or ends this process by the
// signal that ended the task.
func Session(work string) int {
	end, err := runSession(work)
	if err != nil {
		return process.Fail(work, "ssh", err, os.Stderr)
	}
	if sig := end.signal(); sig != 0 {
		_ = syscall.Exec("/bin/sh", []string{"sh", "-c", fmt.Sprintf("ulimit -c 0; kill -%d $$", sig)}, os.Environ()) // returns only when it fails
	}
	return end.code
}

func runSession(work string) (ending, error) {
	s := &session{work: work, log: &counter{to: os.Stdout}, term: make(chan struct{}), kill: make(chan struct{})}
	var err error
	if s.order, s.settings, err = readOrder(work); err != nil {
		return ending{}, err
	}
	stop := s.obey()
	defer stop()
	c, err := s.begin()
	if err != nil {
		select {
		case <-s.term: // the cause is on record
			return ending{code: 128 + int(syscall.SIGTERM)}, nil
		default:
			return ending{}, err
		}
	}
	end, err := s.follow(c)
	if err != nil {
		return ending{}, err
	}
	if err := os.Remove(filepath.Join(work, begunFile)); err != nil {
		return ending{}, process.Lost("note the end: %v", err)
	}
	switch {
	case s.log.err != nil:
		return ending{}, process.Lost("the task ended with %d, but its log could not be written: %v", end.code, s.log.err)
	case end.lease:
		return ending{}, process.Lost("%s had no connection for longer than the lease (%v): the far half ended the task", s.settings.Host, s.settings.Lease.value())
	}
	return end, nil
}

// obey has TERM end the attempt. What is left of the grace when the host is told to kill is for the news to come back.
func (s *session) obey() func() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
		case <-done:
			return
		}
		close(s.term)
		select {
		case <-time.After(s.order.Grace * 9 / 10):
			close(s.kill)
		case <-done:
		}
	}()
	return func() { close(done) }
}

// begin connects and sends what the attempt needs. Nothing runs before that is done, so an error is final.
func (s *session) begin() (*connection, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.term:
			cancel()
		case <-ctx.Done():
		}
	}()
	var tree bytes.Buffer
	hash, err := pack(s.order.Dir, s.work, &tree)
	if err != nil {
		return nil, err
	}
	c, err := dial(ctx, s.settings)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	if err = c.prepare(s.order, hash, &tree); err == nil {
		err = os.WriteFile(filepath.Join(s.work, begunFile), nil, 0o600)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// follow looks after the attempt until its end, over as many connections as that takes.
func (s *session) follow(c *connection) (ending, error) {
	p := s.newPatience()
	defer func() { p.stop() }()
	for {
		end, heard, err := s.attend(c)
		_ = c.Close()
		if err == nil {
			return end, nil
		}
		var final *process.Failure
		if errors.As(err, &final) {
			return ending{}, err
		}
		if heard {
			p.stop()
			p = s.newPatience()
		}
		if c, err = s.reconnect(p, err); err != nil {
			return ending{}, err
		}
	}
}

// margin is how long after its lease a task that was not heard of is dead for sure: the grace, the kill, a slow network.
const margin = 30 * time.Second

// overdue is when a task ends for sure that is not looked after. Its lease is counted in tenths.
func (s settings) overdue() time.Duration { return s.Lease.value()*11/10 + margin }

// patience is for one silence of the far half.
type patience struct {
	ctx   context.Context
	stop  context.CancelFunc
	pause time.Duration
}

func (s *session) newPatience() *patience {
	ctx, stop := context.WithTimeout(context.Background(), s.settings.overdue())
	return &patience{ctx, stop, 50 * time.Millisecond}
}

// reconnect tries until the far half has ended the task for sure.
func (s *session) reconnect(p *patience, last error) (*connection, error) {
	for {
		select {
		case <-time.After(p.pause):
		case <-p.ctx.Done():
			_ = os.Remove(filepath.Join(s.work, begunFile)) // there is nothing left to settle
			return nil, process.Lost("the far half was not heard for longer than the lease and has ended the task by now; nobody knows how it went: %v", last)
		}
		p.pause = min(2*p.pause, 5*time.Second)
		c, err := dial(p.ctx, s.settings)
		if err == nil {
			return c, nil
		}
		if p.ctx.Err() == nil {
			last = err
		}
	}
}

// ending is how the task ended.
type ending struct {
	code  int // as its shell tells it
	lease bool
}

// signal returns the signal that a shell's exit code stands for, if it is one that ends processes.
func (e ending) signal() syscall.Signal {
	sig := syscall.Signal(e.code - 128)
	switch sig {
	case syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGSTOP, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGURG, syscall.SIGWINCH:
		return 0
	}
	if sig < 1 || sig > 64 {
		return 0
	}
	return sig
}

// attend follows the attempt over one connection. An error is worth another one unless it is a failure. heard: the far half answered.
func (s *session) attend(c *connection) (end ending, heard bool, err error) {
	end, heard, err = s.attach(c)
	if err != nil {
		return ending{}, heard, err
	}
	outputs, err := c.finish(s.order, s.log.n, s.log)
	var refused *ssh.ExitError
	if errors.As(err, &refused) {
		return ending{}, true, process.Lost("the task ended with %d, but its log and outputs could not be read: %v", end.code, err)
	}
	if err != nil {
		return ending{}, true, err
	}
	if len(outputs) > 0 && s.order.Output != "" {
		if err := os.WriteFile(s.order.Output, outputs, 0o600); err != nil {
			return ending{}, true, process.Lost("the task ended with %d, but its outputs could not be written: %v", end.code, err)
		}
	}
	c.forget(s.order)
	return end, true, nil
}

// attach starts the task, or finds it again, and copies its log until it ends.
func (s *session) attach(c *connection) (end ending, heard bool, err error) {
	far, err := c.NewSession()
	if err != nil {
		return ending{}, false, err
	}
	defer func() { _ = far.Close() }()
	far.Stdout = s.log
	control, err := far.StdinPipe()
	if err != nil {
		return ending{}, false, err
	}
	news, err := far.StderrPipe()
	if err != nil {
		return ending{}, false, err
	}
	if err := far.Start(s.order.verb(fmt.Sprintf("attach %d %d", s.log.n+1, int(s.settings.Lease.value().Seconds())))); err != nil {
		return ending{}, false, err
	}
	done := make(chan struct{})
	defer close(done)
	go s.command(control, done)
	go c.keep(s.settings.Keepalive.value(), done)
	return hear(news, far.Close, far.Wait)
}

// hear reads what the far half tells, until the end of it or of the task. Then it hangs up by itself: something on the host may hold the line.
func hear(news io.Reader, hangUp, wait func() error) (end ending, heard bool, err error) {
	last, ended := "", false
	for lines := bufio.NewScanner(news); !ended && err == nil && lines.Scan(); {
		last = lines.Text()
		heard = heard || last == "begun"
		if last == "end lost" {
			err = process.Lost("somebody killed the far half: how the task ended is not known")
		}
		end, ended = parseEnding(last)
	}
	_ = hangUp()
	_, _ = io.Copy(io.Discard, news)
	broken := wait() // until the log that came is copied
	if !ended && err == nil {
		err = fmt.Errorf("the connection broke (%v) after the far half said %q", broken, clip(last))
	}
	return end, heard, err
}

// parseEnding reads `end CODE [lease]`.
func parseEnding(line string) (ending, bool) {
	words := strings.Fields(line)
	if len(words) < 2 || words[0] != "end" {
		return ending{}, false
	}
	code, err := strconv.Atoi(words[1])
	if err != nil || code < 0 || code > 255 {
		return ending{}, false
	}
	return ending{code: code, lease: len(words) > 2 && words[2] == "lease"}, true
}

// command renews the lease and passes on what we are told, which is said again over each connection.
func (s *session) command(control io.Writer, done <-chan struct{}) {
	beat := time.NewTicker(s.settings.Keepalive.value())
	defer beat.Stop()
	term, kill, word := s.term, s.kill, "beat"
	for {
		if _, err := fmt.Fprintln(control, word); err != nil {
			return // the connection's end is noticed elsewhere
		}
		select {
		case <-term:
			term, word = nil, "TERM"
		case <-kill:
			kill, word = nil, "KILL"
		case <-beat.C:
			word = "beat"
		case <-done:
			return
		}
	}
}

// keep closes a connection that does not answer.
func (c *connection) keep(every time.Duration, done <-chan struct{}) {
	beat := time.NewTicker(every)
	defer beat.Stop()
	for {
		select {
		case <-beat.C:
		case <-done:
			return
		}
		answered := make(chan error, 1)
		go func() {
			_, _, err := c.SendRequest("keepalive@openssh.com", true, nil)
			answered <- err
		}()
		select {
		case err := <-answered:
			if err == nil {
				continue
			}
		case <-beat.C:
		case <-done:
			return
		}
		_ = c.Close()
		return
	}
}

// counter counts the bytes of the task's log. Should it fail to write them, it goes on reading: the task must not hang.
type counter struct {
	to  io.Writer
	n   int64
	err error
}

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	if c.err == nil {
		_, c.err = c.to.Write(b)
	}
	return len(b), nil
}
