package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"flowctl/engine"
	"flowctl/engine/wire"
	"flowctl/plugins/account"
	"flowctl/plugins/sdk"
)

// phase tells how far an attempt is. See the package comment.
type phase uint8

const (
	preparing phase = iota + 1
	started
	finished
)

// attempt is one attempt that the agent holds. Fields below phase are guarded by Agent.mu.
type attempt struct {
	id     engine.AttemptID
	runner string
	tree   string
	user   *account.User    // nil: the agent's own
	folder string           // the agent's
	work   string           // the runner's and the task's: the same, or within it
	wire   *wire.Assignment // nil when it was found in its folder
	lease  time.Duration    // how long it goes on without word from the server; 0 = as long as it takes
	until  time.Duration    // when its lease ends that it starts with, on the clock of leases

	phase  phase
	killed bool // an operator asked for its end
	runs   bool // the runner has it: it can be signalled
	result engine.Result
	own    bool // the result is the agent's, the runner knows nothing of it
	// sent is how much of the log was given to the session's outbox, or is at the server. A rewind sets it back; waits
	// counts them, so that a Wait that began before one knows.
	sent   int64
	waits  int
	cancel context.CancelFunc // of the present Wait; nil = none
}

// as is the name of the user as whom it runs; empty = the agent's own.
func (at *attempt) as() string {
	if at.user == nil {
		return ""
	}
	return at.user.Name
}

// report tells the server where the attempt stands. It is finished only when the server has all of its log.
func (at *attempt) report() engine.Report {
	if at.phase == finished {
		return engine.Report{Attempt: at.id, Kind: engine.ReportFinished, Result: at.result}
	}
	if !at.runs {
		return engine.Report{Attempt: at.id, Kind: engine.ReportHeld}
	}
	return engine.Report{Attempt: at.id, Kind: engine.ReportStarted}
}

// rewind makes an attempt send its log again from size, because what was sent after it was lost, or because the agent
// is new and the server has it already. The caller holds mu.
func (a *Agent) rewind(at *attempt, size int64) {
	at.sent = size
	if at.own {
		return // there is nobody to ask for more
	}
	at.waits++
	if at.cancel != nil {
		at.cancel()
	}
	if at.phase == finished {
		at.phase = started
		a.work.Go(func() { a.await(at, false) })
	}
}

// assign takes on an attempt, unless it is known.
func (a *Agent) assign(s *session, w *wire.Assignment) {
	id := engine.AttemptID(w.Attempt)
	who, err := a.userOf(w.RunAs)
	at := a.newAttempt(id, w.Runner, w.Tree, who)
	at.wire, at.phase, at.lease = w, preparing, time.Duration(w.Lease)*time.Microsecond
	a.mu.Lock()
	_, known := a.attempts[id]
	if !known {
		a.attempts[id] = at
	}
	a.mu.Unlock()
	switch {
	case known:
	case err != nil:
		a.refuse(s, at, engine.Report{Message: err.Error()})
	default:
		a.work.Go(func() { a.execute(s, at) })
	}
}

// execute prepares, starts and awaits an attempt.
func (a *Agent) execute(s *session, at *attempt) {
	if !validName.MatchString(at.runner) || !validName.MatchString(at.tree) {
		a.refuse(s, at, engine.Report{Message: fmt.Sprintf("runner %q with tree %q: these are no names", at.runner, at.tree)})
		return
	}
	if why := a.admission.full(s.ctx); why != "" {
		a.refuse(s, at, engine.Report{Full: true, Message: why})
		return
	}
	tree, err := a.trees.use(s.ctx, s.client, at.tree, at.wire.Revision)
	if err != nil {
		a.refuse(s, at, engine.Report{Message: err.Error()})
		return
	}
	defer a.trees.release(at.tree)
	if err := a.usable(at); err != nil {
		a.refuse(s, at, engine.Report{Message: err.Error()})
		return
	}
	if at.user != nil {
		if tree, err = a.trees.lend(at.tree, at.user, a.accountDir(at.user.Name)); err != nil {
			a.refuse(s, at, engine.Report{Message: fmt.Sprintf("show the files to %s: %v", at.user.Name, err)})
			return
		}
	}
	if len(at.wire.Inputs) > 0 {
		if r, ok := a.checkInputs(s, at); !ok {
			a.refuse(s, at, r)
			return
		}
	}
	before, err := a.markers(s.ctx, at)
	if err != nil {
		a.refuse(s, at, engine.Report{Message: err.Error()})
		return
	}
	if at.lease > 0 {
		granted, err := a.grant(s)
		if err != nil {
			return // the session has ended, and what is prepared in it is forgotten with it
		}
		at.until = granted + at.lease
	}
	if !a.commit(s, at) {
		return
	}
	if res, ok := a.start(s, at, tree, before); !ok {
		switch {
		case a.ctx.Err() != nil: // the agent is ending, and finds out when it is back
		case res.Code == engine.CodeLost:
			a.bury(at, res.Message)
		default:
			a.conclude(at, res)
		}
		return
	}
	if a.running(at) {
		a.signal(at)
	}
	a.await(at, false)
}

// checkInputs looks at the inputs once more. When ok is false the report says what is wrong.
func (a *Agent) checkInputs(s *session, at *attempt) (r engine.Report, ok bool) {
	for _, p := range a.look(s.ctx, at.wire.Inputs, a.sensorsOf(at)) {
		if p.Error != "" {
			r.Message = fmt.Sprintf("input %s could not be checked: %s", p.Path, p.Error)
			return r, false
		}
		if !p.Exists {
			r.Missing = append(r.Missing, p.Path)
		}
	}
	return r, len(r.Missing) == 0
}

// refuse gives an attempt back that was not started and never will be by this assignment. When the session is gone there is
// nobody to tell; the server finds out from the next hello.
func (a *Agent) refuse(s *session, at *attempt, r engine.Report) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.attempts[at.id] != at {
		return
	}
	delete(a.attempts, at.id)
	r.Attempt, r.Kind = at.id, engine.ReportRefused
	s.out.report(r)
}

// commit is the point of no return: from here on the agent answers for the attempt. It is false when the attempt must not
// start, because its session is gone or it was killed.
func (a *Agent) commit(s *session, at *attempt) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.attempts[at.id] != at {
		return false
	}
	if a.session != s {
		delete(a.attempts, at.id)
		return false
	}
	if at.killed {
		at.phase, at.own = finished, true
		at.result = engine.Result{State: engine.Killed, Code: engine.CodeKilled, ExitCode: -1, Message: "killed before it started"}
		s.out.report(at.report())
		return false
	}
	at.phase = started
	return true
}

// startTries bounds how often a start is tried again that certainly did not happen.
const startTries = 3

// start puts the attempt into the runner's hands; before are the versions of its outputs. When ok is false it never ran, and the result says why.
func (a *Agent) start(s *session, at *attempt, tree string, before map[string]string) (res engine.Result, ok bool) {
	var err error
	for range startTries {
		if err = a.makeFolder(at); err != nil {
			return notStarted(engine.CodeStart, "make the attempt's folder", err), false
		}
		if err = writeLease(at.folder, at.lease); err != nil {
			return notStarted(engine.CodeStart, "note what its lease is", err), false
		}
		if err = writeMarkers(at.folder, before); err != nil {
			return notStarted(engine.CodeStart, "note what its outputs are", err), false
		}
		var env []string
		var with string
		if env, with, err = a.secrets.reveal(at.wire); err != nil {
			return notStarted(engine.CodeStart, "fill in secrets", err), false
		}
		var runner Runner
		if runner, err = a.launch(at); err != nil {
			return notStarted(engine.CodePlugin, "launch runner "+at.runner, err), false
		}
		if err = runner.Start(a.ctx, at.spec(tree, with, attemptEnv(a.hostEnv(at), env, at.wire, at.work, s.url))); err == nil {
			return engine.Result{}, true
		}
		if errors.Is(err, sdk.ErrInvalid) {
			return notStarted(engine.CodeStart, "runner "+at.runner, err), false
		}
		if a.ctx.Err() != nil {
			break
		}
		found, unknown := a.find(at)
		if unknown != nil {
			return notStarted(engine.CodeLost, "whether it was started is not known", unknown), false
		}
		if found != sdk.NotStarted {
			return engine.Result{}, true
		}
	}
	return notStarted(engine.CodePlugin, "runner "+at.runner, err), false
}

func notStarted(code engine.ErrorCode, doing string, err error) engine.Result {
	return engine.Result{State: engine.Failed, Code: code, ExitCode: -1, Message: fmt.Sprintf("%s: %v", doing, err)}
}

// spec is what the runner executes.
func (at *attempt) spec(tree, with string, env []string) sdk.Spec {
	w := at.wire
	spec := sdk.Spec{
		Attempt: strconv.FormatInt(w.Attempt, 10), Work: at.work, Dir: filepath.Join(tree, filepath.FromSlash(w.Folder)),
		Text: w.Text, With: json.RawMessage(with), Env: env, Timeout: time.Duration(w.Timeout) * time.Microsecond, Lease: at.until,
	}
	if w.File != "" {
		spec.File = filepath.Join(tree, filepath.FromSlash(w.File))
	}
	for _, arg := range w.Args {
		spec.Args = append(spec.Args, sdk.Arg{Name: arg.Name, Value: arg.Value})
	}
	return spec
}

// running tells the server that the attempt runs, and the caller whether somebody wanted it killed meanwhile.
func (a *Agent) running(at *attempt) (killed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !at.runs && a.session != nil {
		a.session.out.report(engine.Report{Attempt: at.id, Kind: engine.ReportStarted})
	}
	at.runs = true
	return at.killed
}

// forget drops attempts whose ends are stored at the server.
func (a *Agent) forget(ids []int64) {
	if len(ids) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range wire.AttemptIDs(ids) {
		if at := a.attempts[id]; at != nil && at.phase == finished {
			delete(a.attempts, id)
			a.trash.add(at.folder)
		}
	}
}

// recall gives an attempt back that is still being prepared, and never will be started after this; of any other it tells where it stands.
func (a *Agent) recall(s *session, id engine.AttemptID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch at := a.attempts[id]; {
	case at == nil:
		s.out.report(engine.Report{Attempt: id, Kind: engine.ReportUnknown})
	case at.phase == preparing:
		delete(a.attempts, id)
		s.out.report(engine.Report{Attempt: id, Kind: engine.ReportRefused, Message: "recalled before it was started"})
	default:
		s.out.report(at.report())
	}
}

// kill asks for the end of an attempt.
func (a *Agent) kill(s *session, id engine.AttemptID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.attempts[id]
	switch {
	case at == nil:
		s.out.report(engine.Report{Attempt: id, Kind: engine.ReportUnknown})
	case at.runs && !at.killed && at.phase == started:
		at.killed = true
		a.work.Go(func() { a.signal(at) })
	default:
		at.killed = true // seen before the start or right after it; or it is over
	}
}
