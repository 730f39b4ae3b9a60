package agent

import (
	"errors"
	"sync"
	"time"

	"flowctl/engine"
	"flowctl/engine/wire"
)

// linger is how long the report of a start waits for company: longer than a task that does nothing takes on a busy machine,
// too short for people to notice.
const linger = 10 * time.Millisecond

// errDisconnected is returned for what cannot be sent because the stream is gone.
var errDisconnected = errors.New("the stream to the server is gone")

// outbox is what waits to be sent on one stream.
type outbox struct {
	ready chan struct{} // holds at most one message: there may be something to take

	mu       sync.Mutex
	space    *sync.Cond // logs were taken, or the outbox was closed
	closed   bool
	logs     []*wire.LogChunk
	logBytes int
	reports  []*wire.Report
	paths    []*wire.PathState
	beat     *wire.Beat    // the newest
	renew    time.Duration // 0 = nothing is asked
	timer    *time.Timer   // ends the lingering; nil before the first
	armed    bool
}

func newOutbox() *outbox {
	o := &outbox{ready: make(chan struct{}, 1)}
	o.space = sync.NewCond(&o.mu)
	return o
}

func (o *outbox) wake() {
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// log queues a piece of a log, of which it takes a copy. It blocks while the outbox is full.
func (o *outbox) log(id engine.AttemptID, offset int64, data []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.closed && o.logBytes > 0 && o.logBytes+len(data) > wire.BatchSize {
		o.space.Wait()
	}
	if o.closed {
		return errDisconnected
	}
	o.logs = append(o.logs, &wire.LogChunk{Attempt: int64(id), Offset: offset, Data: append([]byte(nil), data...)})
	o.logBytes += len(data)
	o.wake()
	return nil
}

// report queues a report. That of a start lingers.
func (o *outbox) report(r engine.Report) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.reports = append(o.reports, wire.FromReport(r))
	if r.Kind != engine.ReportStarted {
		o.wake()
		return
	}
	if o.armed {
		return
	}
	o.armed = true
	if o.timer == nil {
		o.timer = time.AfterFunc(linger, o.lingered)
		return
	}
	o.timer.Reset(linger)
}

func (o *outbox) lingered() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.armed = false
	if len(o.reports) > 0 {
		o.wake()
	}
}

func (o *outbox) probed(ps []*wire.PathState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.paths = append(o.paths, ps...)
		o.wake()
	}
}

func (o *outbox) beaten(b *wire.Beat) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.beat = b
		o.wake()
	}
}

// ask asks the server for its word at a time of the clock of leases.
func (o *outbox) ask(at time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.renew = max(o.renew, at)
	o.wake()
}

// take removes all that is queued as one message, or nil when nothing is.
func (o *outbox) take() *wire.AgentMessage {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.logs)+len(o.reports)+len(o.paths) == 0 && o.renew == 0 && o.beat == nil {
		return nil
	}
	m := &wire.AgentMessage{Logs: o.logs, Reports: o.reports, Paths: o.paths, Renew: int64(o.renew), Beat: o.beat}
	if o.logBytes > 0 {
		o.space.Broadcast()
	}
	o.logs, o.reports, o.paths, o.beat, o.logBytes, o.renew = nil, nil, nil, nil, 0, 0
	return m
}

// close drops what is queued and unblocks log.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if o.timer != nil {
		o.timer.Stop()
	}
	o.space.Broadcast()
}
