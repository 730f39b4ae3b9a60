//go:build linux

package ssh

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// network is what lies between the two hosts.
type network struct {
	to   string
	port string
	made chan struct{} // gets a value for each connection that gets through

	mu    sync.Mutex
	down  bool
	links []*link
}

// link is one connection.
type link struct {
	near, far net.Conn
	silent    atomic.Bool // nothing gets through any more, and nobody is told
}

// newNetwork makes a network to a server, whose known_hosts then has the host by the network's port, too.
func newNetwork(t testing.TB, s *server) *network {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &network{to: "127.0.0.1:" + s.Port, made: make(chan struct{}, 100)}
	_, n.port, _ = net.SplitHostPort(l.Addr().String())
	key := strings.Fields(s.Read("host.pub"))
	s.Write("known_hosts", s.Read("known_hosts")+fmt.Sprintf("[127.0.0.1]:%s %s %s\n", n.port, key[0], key[1]))
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n.accept(conn)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		n.cut(true)
	})
	return n
}

func (n *network) accept(near net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		_ = near.Close()
		return
	}
	far, err := net.Dial("tcp", n.to)
	if err != nil {
		_ = near.Close()
		return
	}
	k := &link{near: near, far: far}
	n.links = append(n.links, k)
	go k.copy(far, near)
	go k.copy(near, far)
	n.made <- struct{}{}
}

func (k *link) copy(to io.Writer, from io.Reader) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if k.silent.Load() {
			return
		}
		if n > 0 {
			_, _ = to.Write(b[:n])
		}
		if err != nil {
			k.close()
			return
		}
	}
}

func (k *link) close() { _, _ = k.near.Close(), k.far.Close() }

// cut breaks all connections; down: there are no new ones until up.
func (n *network) cut(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
	for _, k := range n.links {
		k.close()
	}
	n.links = nil
}

func (n *network) up() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = false
}

// freeze lets all connections stand still as if a cable was pulled. New ones get through.
func (n *network) freeze() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, k := range n.links {
		k.silent.Store(true)
	}
}

// forget drops the news of connections that were made so far.
func (n *network) forget() {
	for len(n.made) > 0 {
		<-n.made
	}
}
