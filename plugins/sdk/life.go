package sdk

import (
	"sync"
	"time"
)

// life decides when a plugin process ends: when it is stopped without attempts, or when the last attempt of a draining one
// is over, or when no host has been there for a while and no attempt is left.
type life struct {
	idle    time.Duration // without host and attempts; 0 = for ever
	drainer Drainer       // nil: the plugin carries no attempts
	done    chan struct{} // closed when the process should end

	mu       sync.Mutex
	hosts    int
	timer    *time.Timer // runs while there is no host
	expired  bool        // no host for as long as idle
	draining bool
	ended    bool
}

// firstHost is how long the host that launched the process has to connect, however short idle is.
const firstHost = time.Minute

func newLife(p Plugin, idle time.Duration) *life {
	l := &life{idle: idle, done: make(chan struct{})}
	l.drainer, _ = p.(Drainer)
	if l.drainer != nil {
		l.drainer.Drained(l.check)
	}
	if idle > 0 {
		l.timer = time.AfterFunc(max(idle, firstHost), l.expire)
	}
	return l
}

func (l *life) attach() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts++
	l.expired = false
	if l.timer != nil {
		l.timer.Stop()
	}
}

func (l *life) detach() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts--
	if l.hosts == 0 && l.timer != nil {
		l.timer.Reset(l.idle)
	}
}

func (l *life) expire() {
	l.mu.Lock()
	l.expired = l.hosts == 0
	l.mu.Unlock()
	l.check()
}

// stop ends an idle process and returns the number of attempts of one that is not.
func (l *life) stop(drain bool) int {
	live := 0
	if l.drainer != nil {
		live = l.drainer.Live()
	}
	l.mu.Lock()
	l.draining = l.draining || drain || live == 0
	l.mu.Unlock()
	l.check()
	return live
}

// check ends the process if its time has come.
func (l *life) check() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || !l.draining && !l.expired {
		return
	}
	if !l.draining && l.drainer != nil && l.drainer.Live() > 0 {
		return
	}
	// No attempt is taken from here on, so that none starts in a process that is about to end.
	l.draining = true
	if l.drainer == nil || l.drainer.Drain() == 0 {
		l.ended = true
		close(l.done)
	}
}
