package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"flowctl/engine"
	"flowctl/engine/api"
)

// states makes run details whose tasks stand as given, the run settled when done.
func detail(done bool, states ...engine.State) engine.RunDetail {
	d := engine.RunDetail{RunView: engine.RunView{ID: 1, Name: "f@2026-11-19", State: engine.RunActive}, Tasks: []engine.TaskRunView{}}
	if done {
		d.State = engine.RunSucceeded
	}
	for i, s := range states {
		d.Tasks = append(d.Tasks, engine.TaskRunView{Task: fmt.Sprintf("t%d", i), State: s})
	}
	return d
}

func TestWatchRunSeesEveryChange(t *testing.T) {
	t.Parallel()
	want := []engine.RunDetail{
		detail(false, engine.Ready, engine.Waiting),
		detail(false, engine.Running, engine.Waiting),
		detail(false, engine.Succeeded, engine.Ready),
		detail(false, engine.Succeeded, engine.Ready, engine.Waiting), // a new revision adds a task
		detail(true, engine.Succeeded, engine.Succeeded, engine.Skipped),
	}
	svc := &fake{watchRun: func(_ context.Context, f func(engine.RunDetail) error) error {
		for _, d := range want {
			if err := f(d); err != nil {
				return err
			}
		}
		return nil
	}}
	client, _ := dial(t, svc, api.Options{Now: time.Now})
	var got []engine.RunDetail
	err := client.WatchRun(t.Context(), 7, func(d engine.RunDetail) error {
		got = append(got, d)
		return nil
	})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("saw %+v, %v; want %+v", got, err, want)
	}
	if c := svc.last(); c.args[0] != engine.RunID(7) || c.caller != "admin" {
		t.Errorf("the service was asked %+v", c)
	}
}

func TestWatchEndsWithTheCallersError(t *testing.T) {
	t.Parallel()
	stopped := make(chan struct{})
	svc := &fake{watchBackfill: func(ctx context.Context, f func(engine.BackfillView) error) error {
		defer close(stopped)
		_ = f(engine.BackfillView{ID: 1})
		<-ctx.Done()
		return ctx.Err()
	}}
	client, _ := dial(t, svc, api.Options{})
	enough := errors.New("enough")
	if err := client.WatchBackfill(t.Context(), 1, func(engine.BackfillView) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("error %v", err)
	}
	<-stopped // the server noticed
	ctx, cancel := context.WithCancel(t.Context())
	svc2 := &fake{watchBackfill: func(ctx context.Context, f func(engine.BackfillView) error) error {
		_ = f(engine.BackfillView{ID: 1})
		<-ctx.Done()
		return ctx.Err()
	}}
	client, _ = dial(t, svc2, api.Options{})
	err := client.WatchBackfill(ctx, 1, func(engine.BackfillView) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestStreamsSurviveARestart stops the server in the midst of a watch and a followed log and starts another at its address.
func TestStreamsSurviveARestart(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	interrupted := make(chan error, 10)
	client := connect(t, api.ClientOptions{BaseURL: address, Token: token, Interrupted: func(err error) { interrupted <- err }})

	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	first := &fake{
		watchRun: func(ctx context.Context, f func(engine.RunDetail) error) error {
			return errors.Join(f(detail(false, engine.Ready)), f(detail(false, engine.Running)), hang(ctx))
		},
		logs: func(ctx context.Context, _ int64, _ bool, w io.Writer) error {
			_, err := io.WriteString(w, "one\ntw")
			return errors.Join(err, hang(ctx))
		},
	}
	second := &fake{
		watchRun: func(_ context.Context, f func(engine.RunDetail) error) error {
			return f(detail(true, engine.Succeeded))
		},
		logs: func(_ context.Context, offset int64, _ bool, w io.Writer) error {
			_, err := io.WriteString(w, "one\ntwo\nthree\n"[offset:])
			return err
		},
	}

	serving, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() {
		served <- api.Serve(serving, listener, api.NewServer(api.Options{Service: first, Token: token}))
	}()
	var states []engine.State
	var log bytes.Buffer
	running, logged, ended := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	go func() {
		ended <- client.WatchRun(t.Context(), 1, func(d engine.RunDetail) error {
			states = append(states, d.Tasks[0].State)
			if d.Tasks[0].State == engine.Running {
				close(running)
			}
			return nil
		})
	}()
	go func() {
		ended <- client.Logs(t.Context(), 1, 0, true, writerFunc(func(b []byte) (int, error) {
			if log.Len() == 0 {
				defer close(logged)
			}
			return log.Write(b)
		}))
	}()
	<-running
	<-logged
	stop()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-interrupted; err == nil {
			t.Error("interrupted without a reason")
		}
	}
	again, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("somebody took the port: %v", err)
	}
	go func() {
		served <- api.Serve(t.Context(), again, api.NewServer(api.Options{Service: second, Token: token}))
	}()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if want := []engine.State{engine.Ready, engine.Running, engine.Succeeded}; !slices.Equal(states, want) {
		t.Errorf("saw %v, want %v", states, want)
	}
	if log.String() != "one\ntwo\nthree\n" {
		t.Errorf("log %q", log.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// TestSilenceIsABrokenStream has a server that neither speaks nor breaks off, as behind a dead network.
func TestSilenceIsABrokenStream(t *testing.T) {
	t.Parallel()
	var times atomic.Int32
	svc := &fake{watchRun: func(ctx context.Context, f func(engine.RunDetail) error) error {
		if times.Add(1) > 1 {
			return f(detail(true, engine.Succeeded))
		}
		_ = f(detail(false, engine.Running))
		<-ctx.Done()
		return ctx.Err()
	}}
	_, srv := dial(t, svc, api.Options{})
	client := connect(t, api.ClientOptions{BaseURL: srv.URL, Token: token, Silence: 20 * time.Millisecond})
	if err := client.WatchRun(t.Context(), 1, func(engine.RunDetail) error { return nil }); err != nil || times.Load() != 2 {
		t.Errorf("%v after %d streams", err, times.Load())
	}
}

func TestHeartbeatKeepsAStream(t *testing.T) {
	t.Parallel()
	const beat = 5 * time.Millisecond
	var times atomic.Int32
	svc := &fake{watchRun: func(_ context.Context, f func(engine.RunDetail) error) error {
		times.Add(1)
		_ = f(detail(false, engine.Running))
		time.Sleep(200 * beat) // silence is what is tested
		return f(detail(true, engine.Succeeded))
	}}
	_, srv := dial(t, svc, api.Options{Heartbeat: beat})
	client := connect(t, api.ClientOptions{BaseURL: srv.URL, Token: token, Silence: 100 * beat})
	if err := client.WatchRun(t.Context(), 1, func(engine.RunDetail) error { return nil }); err != nil || times.Load() != 1 {
		t.Errorf("%v after %d streams", err, times.Load())
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	const text = "a line\nanother\n"
	svc := &fake{logs: func(_ context.Context, offset int64, follow bool, w io.Writer) error {
		if follow {
			return errors.New("nobody asked to follow")
		}
		_, err := io.WriteString(w, text[offset:])
		return err
	}}
	client, _ := dial(t, svc, api.Options{Now: time.Now})
	for _, offset := range []int64{0, 7, int64(len(text))} {
		var got bytes.Buffer
		if err := client.Logs(t.Context(), 3, offset, false, &got); err != nil || got.String() != text[offset:] {
			t.Errorf("from %d: %q, %v", offset, got.String(), err)
		}
	}
	full := errors.New("disk is full")
	err := client.Logs(t.Context(), 3, 0, false, writerFunc(func([]byte) (int, error) { return 0, full }))
	if !errors.Is(err, full) {
		t.Errorf("a writer's error came back as %v", err)
	}
}
