package sdk

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// load is a plugin that carries attempts.
type load struct {
	Plugin
	mu      sync.Mutex
	live    int
	refuses bool
	drained func()
}

func (l *load) Live() int { l.mu.Lock(); defer l.mu.Unlock(); return l.live }

func (l *load) Drained(f func()) { l.drained = f }

func (l *load) Drain() int { l.mu.Lock(); defer l.mu.Unlock(); l.refuses = true; return l.live }

func (l *load) set(live int) {
	l.mu.Lock()
	l.live = live
	l.mu.Unlock()
	if live == 0 {
		l.drained()
	}
}

func TestLife(t *testing.T) {
	t.Parallel()
	const idle = 10 * time.Minute
	for name, c := range map[string]struct {
		act   func(*life, *load)
		ended bool
	}{
		"a host is there":                  {func(l *life, _ *load) { l.attach(); time.Sleep(2 * idle) }, false},
		"no host came":                     {func(*life, *load) { time.Sleep(idle + 1) }, true},
		"the host left just now":           {func(l *life, _ *load) { time.Sleep(idle / 2); l.attach(); l.detach(); time.Sleep(idle - 1) }, false},
		"the host left long ago":           {func(l *life, _ *load) { l.attach(); l.detach(); time.Sleep(idle + 1) }, true},
		"one of two hosts left":            {func(l *life, _ *load) { l.attach(); l.attach(); l.detach(); time.Sleep(2 * idle) }, false},
		"no host, an attempt":              {func(_ *life, p *load) { p.set(1); time.Sleep(2 * idle) }, false},
		"no host, the last attempt over":   {func(_ *life, p *load) { p.set(1); time.Sleep(2 * idle); p.set(0) }, true},
		"the host came back in time":       {func(l *life, p *load) { p.set(1); time.Sleep(2 * idle); l.attach(); p.set(0) }, false},
		"stopped":                          {func(l *life, _ *load) { l.attach(); l.stop(false) }, true},
		"stopped with an attempt":          {func(l *life, p *load) { l.attach(); p.set(1); l.stop(false); p.set(0) }, false},
		"drained with an attempt":          {func(l *life, p *load) { l.attach(); p.set(1); l.stop(true) }, false},
		"drained, the attempt over":        {func(l *life, p *load) { l.attach(); p.set(1); l.stop(true); p.set(0) }, true},
		"stopped without attempts, drains": {func(l *life, _ *load) { l.stop(true) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &load{}
				l := newLife(p, idle)
				c.act(l, p)
				synctest.Wait()
				ended := false
				select {
				case <-l.done:
					ended = true
				default:
				}
				if ended != c.ended || ended && !p.refuses {
					t.Errorf("ended: %v, want %v; refuses attempts: %v", ended, c.ended, p.refuses)
				}
			})
		})
	}
}
