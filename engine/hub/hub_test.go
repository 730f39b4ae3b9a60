package hub

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"flowctl/engine"
	"flowctl/engine/logs"
	"flowctl/engine/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// agentStore holds agents and tokens; there are no files.
type agentStore struct {
	Store
	mu     sync.Mutex
	agents map[string]engine.Agent
	tokens map[string]*engine.JoinToken
}

func (s *agentStore) PutAgent(_ context.Context, a *engine.Agent) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.agents[a.Name] = *a
	return nil
}

func (s *agentStore) Agents(context.Context) (all []engine.Agent, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.agents {
		all = append(all, a)
	}
	return all, nil
}

func (s *agentStore) PutToken(_ context.Context, t *engine.JoinToken) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[t.Hash] = t
	return nil
}

func (s *agentStore) UseToken(_ context.Context, hash string, _ time.Time) (*engine.JoinToken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[hash]
	if t == nil {
		return nil, errors.New("no such token")
	}
	delete(s.tokens, hash)
	return t, nil
}

// fleet is an engine.FleetEvents that tells the test of every call, and can be made to block or fail.
type fleet struct {
	calls  chan string
	hellos chan engine.Hello
	gate   chan struct{} // Lost waits for it; nil: it does not
	refuse error         // of Reported
}

func (f *fleet) Joined(_ context.Context, h engine.Hello) error {
	f.hellos <- h
	f.calls <- "joined " + h.Name
	return nil
}

func (f *fleet) Lost(_ context.Context, agent string) {
	if f.gate != nil {
		<-f.gate
	}
	f.calls <- "lost " + agent
}

func (f *fleet) Reported(_ context.Context, agent string, rs []engine.Report) error {
	f.calls <- "reported " + agent
	return f.refuse
}

func (f *fleet) Beaten(_ context.Context, agent string, b engine.Beat) error {
	f.calls <- fmt.Sprintf("beat %s %d", agent, b.Load)
	return nil
}

func (f *fleet) Probed(context.Context, string, []engine.PathState) error { return nil }

func (f *fleet) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-f.calls:
		if got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("nothing happened, want %q", want)
	}
}

type rig struct {
	t     *testing.T
	dir   string
	store *agentStore
	logs  *logs.Logs
	fleet *fleet
	hub   *Hub
	addr  string
	close func()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{
		t: t, dir: t.TempDir(),
		store: &agentStore{agents: map[string]engine.Agent{}, tokens: map[string]*engine.JoinToken{}},
		fleet: &fleet{calls: make(chan string, 100), hellos: make(chan engine.Hello, 100)},
	}
	var err error
	if r.logs, err = logs.Open(filepath.Join(r.dir, "logs"), time.Now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.logs.Close() })
	r.hub, err = New(t.Context(), Options{
		Dir: filepath.Join(r.dir, "ca"), Store: r.store, Logs: r.logs, URL: "http://server",
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.hub.Serve(lis, r.fleet) }()
	r.addr = lis.Addr().String()
	r.close = sync.OnceFunc(func() {
		r.hub.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.close)
	return r
}

// dial connects with a certificate, or without one.
func (r *rig) dial(cert *tls.Certificate) wire.AgentsClient {
	r.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(r.hub.ca.cert)
	config := &tls.Config{RootCAs: roots, ServerName: wire.ServerName}
	if cert != nil {
		config.Certificates = []tls.Certificate{*cert}
	}
	conn, err := grpc.NewClient("passthrough:///"+r.addr, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return wire.NewAgentsClient(conn)
}

// join returns a client that has joined.
func (r *rig) join(name string) wire.AgentsClient {
	r.t.Helper()
	token, err := r.hub.Token(r.t.Context(), time.Hour, "test", engine.Grant{Labels: []string{"given"}, Accounts: []string{"etl", "x"}})
	if err != nil {
		r.t.Fatal(err)
	}
	parsed, err := wire.ParseToken(token.Token)
	if err != nil {
		r.t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		r.t.Fatal(err)
	}
	reply, err := r.dial(nil).Join(r.t.Context(), &wire.JoinRequest{Token: parsed.Secret, Name: name, Csr: csr})
	if err != nil {
		r.t.Fatal(err)
	}
	return r.dial(&tls.Certificate{Certificate: [][]byte{reply.Certificate}, PrivateKey: key})
}

type client = grpc.BidiStreamingClient[wire.AgentMessage, wire.ServerMessage]

// connect opens a stream up to the welcome.
func (r *rig) connect(c wire.AgentsClient, attempts ...int64) (client, *wire.Welcome) {
	r.t.Helper()
	s, err := c.Connect(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	r.send(s, &wire.AgentMessage{Open: &wire.Open{Attempts: attempts}})
	m, err := s.Recv()
	if err != nil {
		r.t.Fatal(err)
	}
	return s, m.Welcome
}

func (r *rig) send(s client, m *wire.AgentMessage) {
	r.t.Helper()
	if err := s.Send(m); err != nil {
		r.t.Fatal(err)
	}
}

func TestOnlyJoinComesWithoutCertificate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial(nil)
	s, err := c.Connect(t.Context())
	if err == nil {
		_, err = s.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("connect: %v", err)
	}
	blobs, err := c.Blobs(t.Context(), &wire.BlobsRequest{Hashes: []string{"x"}})
	if err == nil {
		_, err = blobs.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("blobs: %v", err)
	}
	if _, err := c.Join(t.Context(), &wire.JoinRequest{Token: "guess", Name: "one"}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("join: %v", err)
	}
}

func TestCertificateOfAnotherAuthorityIsRefused(t *testing.T) {
	t.Parallel()
	r, other := newRig(t), newRig(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := other.hub.ca.agentCertificate("one", csr)
	if err != nil {
		t.Fatal(err)
	}
	r.join("one")
	s, err := r.dial(&tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}).Connect(t.Context())
	if err == nil {
		_, err = s.Recv()
	}
	if err == nil {
		t.Error("it was accepted")
	}
}

func TestAuthorityIsKeptPrivately(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	info, err := os.Stat(filepath.Join(r.dir, "ca", "authority.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	again, err := openAuthority(filepath.Join(r.dir, "ca"), time.Now, time.Hour)
	if err != nil || again.fingerprint() != r.hub.ca.fingerprint() {
		t.Errorf("the authority did not survive: %v", err)
	}
}

func TestNewStreamWaitsForTheLossOfTheOld(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fleet.gate = make(chan struct{})
	c := r.join("one")
	old, _ := r.connect(c)
	r.send(old, &wire.AgentMessage{Hello: &wire.Hello{}})
	r.fleet.expect(t, "joined one")

	s, err := c.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.send(s, &wire.AgentMessage{Open: &wire.Open{}})
	r.send(s, &wire.AgentMessage{Hello: &wire.Hello{}})
	if _, err := old.Recv(); status.Code(err) != codes.Aborted {
		t.Errorf("the old stream ended with %v", err)
	}
	r.hub.Assign("one", []*engine.Assignment{{Attempt: 9}}) // for an agent that is gone: dropped
	close(r.fleet.gate)
	r.fleet.expect(t, "lost one")
	r.fleet.expect(t, "joined one")
	r.hub.Assign("one", []*engine.Assignment{{Attempt: 10}})
	if m, err := s.Recv(); err != nil || m.Welcome == nil {
		t.Fatalf("welcome: %v, %v", m, err)
	}
	if m, err := s.Recv(); err != nil || len(m.Assigns) != 1 || m.Assigns[0].Attempt != 10 {
		t.Errorf("assigned %v, %v", m, err)
	}
}

func TestStreamsInQuickSuccession(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.join("one")
	const n = 20
	for range n {
		s, _ := r.connect(c) // it is the newest now
		r.send(s, &wire.AgentMessage{Hello: &wire.Hello{}})
	}
	last, _ := r.connect(c)
	r.send(last, &wire.AgentMessage{Hello: &wire.Hello{Version: "last"}})
	for {
		select {
		case h := <-r.fleet.hellos:
			if h.Version != "last" {
				continue
			}
		case <-time.After(30 * time.Second):
			t.Fatal("the last stream was not taken in")
		}
		break
	}
	r.close()
	close(r.fleet.calls)
	here := false
	for call := range r.fleet.calls {
		if now := call == "joined one"; now == here {
			t.Fatalf("%s although that is so already", call)
		}
		here = !here
	}
	if here {
		t.Error("the last stream was not reported lost")
	}
}

func TestLogsAreStoredBeforeReportsAreHeeded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.join("one")
	s, _ := r.connect(c)
	r.send(s, &wire.AgentMessage{Hello: &wire.Hello{BootId: "b", Slots: 3, Labels: []string{"x"}}})
	r.fleet.expect(t, "joined one")
	r.send(s, &wire.AgentMessage{
		Logs:    []*wire.LogChunk{{Attempt: 5, Data: []byte("log")}},
		Reports: []*wire.Report{{Attempt: 5, Kind: uint32(engine.ReportFinished)}},
	})
	r.fleet.expect(t, "reported one")
	if size, err := r.logs.Size(5); size != 3 || err != nil {
		t.Errorf("size %d, %v", size, err)
	}

	// A hole ends the stream; the next one begins with what the server has.
	r.send(s, &wire.AgentMessage{Logs: []*wire.LogChunk{{Attempt: 5, Offset: 10, Data: []byte("x")}}})
	for {
		if _, err := s.Recv(); err != nil {
			break
		}
	}
	r.fleet.expect(t, "lost one")
	if _, welcome := r.connect(c, 4, 5); len(welcome.LogSizes) != 1 || welcome.LogSizes[5] != 3 || welcome.Url != "http://server" {
		t.Errorf("welcome %v", welcome)
	}
	a := r.store.agents["one"]
	if a.BootID != "b" || a.Slots != 3 || len(a.Labels) != 2 || a.Fingerprint == "" || a.JoinedAt.IsZero() {
		t.Errorf("stored agent %+v", a)
	}
}

func TestBeatsReachTheScheduler(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s, _ := r.connect(r.join("a"))
	r.send(s, &wire.AgentMessage{Hello: &wire.Hello{
		BootId: "b", Slots: 1, Host: &wire.Host{Name: "h", CpuMilli: 2000, Users: []string{"root", "etl"}}, Beat: &wire.Beat{Load: 700},
	}})
	r.fleet.expect(t, "joined a")
	if h := <-r.fleet.hellos; h.Host.Name != "h" || h.Host.CPU != 2000 || h.Beat.Load != 700 || len(h.Host.Users) != 1 || h.Host.Users[0] != "etl" {
		t.Errorf("hello %+v", h)
	}
	r.send(s, &wire.AgentMessage{Beat: &wire.Beat{Load: 900}})
	r.fleet.expect(t, "beat a 900")
	known, err := r.store.Agents(t.Context())
	if err != nil || len(known) != 1 || known[0].Host.CPU != 2000 {
		t.Errorf("stored %+v, %v", known, err)
	}
}

func TestErrorOfTheSchedulerEndsTheStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fleet.refuse = errors.New("not the leader")
	s, _ := r.connect(r.join("one"))
	r.send(s, &wire.AgentMessage{Hello: &wire.Hello{}})
	r.fleet.expect(t, "joined one")
	r.send(s, &wire.AgentMessage{Reports: []*wire.Report{{Attempt: 1, Kind: 1}}})
	r.fleet.expect(t, "reported one")
	r.fleet.expect(t, "lost one")
}

func TestStreamThatBeginsWrong(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.join("one")
	s, err := c.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.send(s, &wire.AgentMessage{Hello: &wire.Hello{}})
	if _, err := s.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("without open: %v", err)
	}
	s, _ = r.connect(c)
	r.send(s, &wire.AgentMessage{})
	if _, err := s.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("without hello: %v", err)
	}
}

func TestCloseEndsStreams(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s, _ := r.connect(r.join("one"))
	r.send(s, &wire.AgentMessage{Hello: &wire.Hello{}})
	r.fleet.expect(t, "joined one")
	r.close()
	r.fleet.expect(t, "lost one")
	if _, err := s.Recv(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v", err)
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()
	q := newQueue()
	large := &engine.Assignment{Text: string(make([]byte, wire.BatchSize))}
	small := &engine.Assignment{}
	q.add(func(q *queue) { q.assigns = append(q.assigns, small, small, large, small, large) })
	q.add(func(q *queue) { q.acks = append(q.acks, 1, 2) })
	var sizes []int
	for len(q.ready) > 0 {
		<-q.ready
		if m := q.take(); m != nil {
			sizes = append(sizes, len(m.Assigns))
		}
	}
	if len(sizes) != 2 || sizes[0] != 3 || sizes[1] != 2 {
		t.Errorf("batches of %v", sizes)
	}
	if q.take() != nil {
		t.Error("an empty queue gives a message")
	}
}

// TestProbesStayApart: each call for paths is a message of its own, because the agent works on one message's paths one after the other.
func TestProbesStayApart(t *testing.T) {
	t.Parallel()
	q := newQueue()
	for _, call := range [][]string{{"a", "b"}, {"c"}} {
		q.add(func(q *queue) { q.probes = append(q.probes, probe{paths: call}) })
	}
	q.add(func(q *queue) { q.kills = append(q.kills, 7) })
	<-q.ready
	if m := q.take(); len(m.Probes) != 2 || len(m.Kills) != 1 {
		t.Fatalf("first message %v", m)
	}
	<-q.ready
	if m := q.take(); len(m.Probes) != 1 || len(m.Kills) != 0 {
		t.Fatalf("second message %v", m)
	}
	select {
	case <-q.ready:
		t.Fatal("there is more")
	default:
	}
	if m := q.take(); m != nil {
		t.Fatalf("third message %v", m)
	}
}
