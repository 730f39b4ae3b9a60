//go:build linux

package main_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// relay stands between an agent and its server. It can be slow, and it can break.
type relay struct {
	address string
	delay   atomic.Int64 // of each piece that passes

	mu     sync.Mutex
	broken bool
	conns  map[net.Conn]bool
}

// newRelay passes on to server what comes to the host's address.
func newRelay(t testing.TB, host, server string) *relay {
	t.Helper()
	lis, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	r := &relay{address: lis.Addr().String(), conns: map[net.Conn]bool{}}
	go func() {
		for {
			near, err := lis.Accept()
			if err != nil {
				return
			}
			go r.pass(near, server)
		}
	}()
	return r
}

func (r *relay) pass(near net.Conn, server string) {
	defer near.Close()
	far, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer far.Close()
	r.mu.Lock()
	if r.broken {
		r.mu.Unlock()
		return
	}
	r.conns[near] = true
	r.mu.Unlock()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		go func() {
			defer func() { ended <- struct{}{} }()
			b := make([]byte, 64<<10)
			for {
				n, err := way[0].Read(b)
				if d := r.delay.Load(); d > 0 && n > 0 {
					time.Sleep(time.Duration(d)) // this is the slow network
				}
				if _, err2 := way[1].Write(b[:n]); err != nil || err2 != nil {
					return
				}
			}
		}()
	}
	<-ended
	r.mu.Lock()
	delete(r.conns, near)
	r.mu.Unlock()
}

// breaks ends all connections, in the middle of what they carry, and takes no new ones for a while.
func (r *relay) breaks(lasts time.Duration) {
	r.mu.Lock()
	r.broken = true
	for c := range r.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	r.mu.Unlock()
	time.Sleep(lasts)
	r.mu.Lock()
	r.broken = false
	r.mu.Unlock()
}
