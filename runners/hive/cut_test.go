//go:build linux

package hive

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"flowctl/plugins/sdk"
)

// network is what lies between the runner and a server.
type network struct {
	port string

	mu    sync.Mutex
	down  bool
	links []net.Conn
}

func newNetwork(t testing.TB, to string) *network {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &network{}
	_, n.port, _ = net.SplitHostPort(l.Addr().String())
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			n.join(near, to)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		n.cut(true)
	})
	return n
}

func (n *network) join(near net.Conn, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	far, err := net.Dial("tcp", to)
	if n.down || err != nil {
		_ = near.Close()
		return
	}
	n.links = append(n.links, near, far)
	for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1])
			_, _ = near.Close(), far.Close()
		}()
	}
}

// cut breaks all connections; down: there are no new ones.
func (n *network) cut(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
	for _, c := range n.links {
		_ = c.Close()
	}
	n.links = nil
}

// Where the server lets a session outlive its connection, the statement goes on, and every line of its log comes once.
func TestGoesOnAfterACut(t *testing.T) {
	t.Parallel()
	for transport, cuts := range map[string]int{"binary": 3, "http": 1} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			here, direct := newSite(t), plain.with(t, nil)
			s := plain.server
			to := map[string]string{"binary": s.Port, "http": s.HTTPPort}[transport]
			n := newNetwork(t, "127.0.0.1:"+to)
			property := "cut-" + transport
			work := here.start("a", sdk.Spec{
				With: plain.with(t, map[string]any{"transport": transport, "port": n.port}), Text: beats(property, 1000) + ";\nselect 'the end'",
			})
			r, log := here.wait(work, once("Status: Running", func() {
				begun(t, direct, property)
				for range cuts {
					n.cut(false)
				}
			}))
			if r.State != sdk.Succeeded || !strings.Contains(log, "\n1000\t1000\t1000\n") || !strings.HasSuffix(log, "\nthe end\n") {
				t.Errorf("%+v\n%s", r, log)
			}
			for _, line := range []string{"Status: Running", "INFO  : Launching Job 1 out of 1", "statement 2 of 3"} {
				if strings.Count(log, line) != 1 {
					t.Errorf("%q is in the log %d times:\n%s", line, strings.Count(log, line), log)
				}
			}
		})
	}
}

// A server that ends the session with its connection is not asked to begin anew: nobody knows what the statement had done.
func TestServerEndsTheSession(t *testing.T) {
	t.Parallel()
	here, direct := newSite(t), bare.with(t, nil)
	n := newNetwork(t, "127.0.0.1:"+bare.server.Port)
	work := here.start("a", sdk.Spec{With: bare.with(t, map[string]any{"port": n.port}), Text: beats("ended", long)})
	var left record
	r, log := here.wait(work, once("Status: Running", func() {
		begun(t, direct, "ended")
		left = handles(t, work)
		n.cut(false)
	}))
	if r.Code != sdk.CodeLost || !strings.Contains(r.Message, "statement 2 of 2 (run:2)") || !strings.Contains(r.Message, "close.session.on.disconnect") {
		t.Errorf("%+v\n%s", r, log)
	}
	closed(t, direct, left)
}

// A server that cannot be reached any more costs the attempt no longer than with.reconnect.
func TestOutOfReach(t *testing.T) {
	t.Parallel()
	here, direct := newSite(t), plain.with(t, nil)
	n := newNetwork(t, "127.0.0.1:"+plain.server.Port)
	work := here.start("a", sdk.Spec{With: plain.with(t, map[string]any{"port": n.port, "reconnect": "1s"}), Text: beats("reach", long)})
	r, log := here.wait(work, once("Status: Running", func() {
		begun(t, direct, "reach")
		n.cut(true)
	}))
	if r.Code != sdk.CodeLost || !strings.Contains(r.Message, "was not reached within 1s") {
		t.Errorf("%+v\n%s", r, log)
	}
	with, err := checked(direct)
	if err != nil {
		t.Fatal(err)
	}
	if err := finish(t.Context(), with, handles(t, work)); err != nil {
		t.Error(err)
	}
}
