package logs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowctl/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) *Logs {
	t.Helper()
	l, err := Open(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func read(t *testing.T, l *Logs, id engine.AttemptID, offset int64) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := l.Copy(id, offset, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAppendIsIdempotentByOffset(t *testing.T) {
	t.Parallel()
	l := open(t)
	steps := []struct {
		offset int64
		data   string
		gap    bool
		want   string
	}{
		{0, "hello", false, "hello"},
		{0, "hello", false, "hello"},               // sent again
		{3, "lo wor", false, "hello wor"},          // overlaps
		{10, "x", true, "hello wor"},               // leaves a hole
		{9, "ld", false, "hello world"},            // goes on
		{2, "ll", false, "hello world"},            // an old piece
		{11, "", false, "hello world"},             // nothing
		{0, "hello world!", false, "hello world!"}, // everything again, and more
	}
	for _, s := range steps {
		err := l.Append(7, s.offset, []byte(s.data))
		if errors.Is(err, ErrGap) != s.gap || (err != nil) != s.gap {
			t.Fatalf("append %q at %d: %v", s.data, s.offset, err)
		}
		if got := read(t, l, 7, 0); got != s.want {
			t.Fatalf("after %q at %d the log is %q, want %q", s.data, s.offset, got, s.want)
		}
	}
	if got := read(t, l, 7, 6); got != "world!" {
		t.Errorf("from 6: %q", got)
	}
}

func TestLogsSurviveReopening(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, want := range []string{"one", "onetwo"} {
		l, err := Open(dir, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		size, err := l.Size(3)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Append(3, size, []byte(want[size:])); err != nil {
			t.Fatal(err)
		}
		if got := read(t, l, 3, 0); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoOutputIsAnEmptyLog(t *testing.T) {
	t.Parallel()
	l := open(t)
	if got := read(t, l, 1, 0); got != "" {
		t.Errorf("got %q", got)
	}
	if size, err := l.Size(1); size != 0 || err != nil {
		t.Errorf("size %d, %v", size, err)
	}
}

func TestOpenFilesAreBounded(t *testing.T) {
	t.Parallel()
	l := open(t)
	want := map[engine.AttemptID]string{}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20 * maxOpen {
		id := engine.AttemptID(rnd.IntN(3 * maxOpen))
		piece := string(rune('a' + rnd.IntN(26)))
		if err := l.Append(id, int64(len(want[id])), []byte(piece)); err != nil {
			t.Fatal(err)
		}
		want[id] += piece
		if len(l.open) > maxOpen {
			t.Fatalf("%d files are open", len(l.open))
		}
	}
	listed := 0
	for f := l.newest; f != nil; f = f.older {
		listed++
	}
	if listed != len(l.open) {
		t.Errorf("the list holds %d files, the map %d", listed, len(l.open))
	}
	for id, w := range want {
		if got := read(t, l, id, 0); got != w {
			t.Errorf("log %d is %q, want %q", id, got, w)
		}
	}
}

func stillRuns(context.Context) (bool, error) { return false, nil }

func TestFollowSeesAppendsAndTheEnd(t *testing.T) {
	t.Parallel()
	l := open(t)
	if err := l.Append(5, 0, []byte("before ")); err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- l.Follow(context.Background(), 5, 2, stillRuns, w)
	}()
	expect := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
			t.Fatalf("followed %q (%v), want %q", got, err, want)
		}
	}
	expect("fore ")
	if err := l.Append(5, 7, []byte("during ")); err != nil {
		t.Fatal(err)
	}
	expect("during ")
	go func() {
		_ = l.Append(5, 14, []byte("last"))
		l.End(5)
	}()
	expect("last")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFollowOfAnEndedAttemptReturnsAtOnce(t *testing.T) {
	t.Parallel()
	l := open(t)
	if err := l.Append(5, 0, []byte("all")); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	ended := func(context.Context) (bool, error) { return true, nil }
	if err := l.Follow(context.Background(), 5, 0, ended, &b); err != nil || b.String() != "all" {
		t.Errorf("got %q, %v", &b, err)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	t.Parallel()
	l := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Follow(ctx, 5, 0, stillRuns, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if len(l.followers) != 0 {
		t.Error("the follower was not forgotten")
	}
}
