package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"flowctl/engine"
)

// clock is moved by hand.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

var testTime = time.Date(2026, 11, 19, 2, 10, 0, 0, time.UTC)

func openAt(t *testing.T) (*Logs, *clock) {
	t.Helper()
	c := &clock{testTime}
	l, err := Open(t.TempDir(), c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, c
}

func add(t *testing.T, l *Logs, id engine.AttemptID, offset int64, text string) {
	t.Helper()
	if err := l.Append(id, offset, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// files lists what lies in the folder of logs.
func files(t *testing.T, l *Logs) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(l.dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range all {
		names = append(names, filepath.Base(path))
	}
	return strings.Join(names, " ")
}

func times(t *testing.T, l *Logs, id engine.AttemptID) string {
	t.Helper()
	all, err := l.Times(id)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, m := range all {
		fmt.Fprintf(&b, "%d+%v ", m.Offset, m.At.Sub(testTime))
	}
	return strings.TrimSpace(b.String())
}

// TestPack has a log compressed and made again, with its times.
func TestPack(t *testing.T) {
	t.Parallel()
	l, c := openAt(t)
	text := strings.Repeat("a line of a log\n", worthPacking/8)
	add(t, l, 7, 0, text[:100])
	c.at = c.at.Add(300 * time.Millisecond)
	add(t, l, 7, 100, text[100:200]) // within the second
	c.at = c.at.Add(1700 * time.Millisecond)
	add(t, l, 7, 200, text[200:])
	size := int64(len(text))
	check := func(want string) {
		t.Helper()
		if got := files(t, l); got != want {
			t.Errorf("files %s, want %s", got, want)
		}
		if got, err := l.Size(7); got != size || err != nil {
			t.Errorf("size %d, %v; want %d", got, err, size)
		}
		if got := times(t, l, 7); got != "0+0s 200+2s" {
			t.Errorf("times %s", got)
		}
		for _, offset := range []int64{0, 1, 5000, size - 1, size, size + 5} {
			if got, want := read(t, l, 7, offset), text[min(offset, size):]; got != want {
				t.Errorf("from %d: %d bytes, want %d", offset, len(got), len(want))
			}
		}
	}
	check("7.log 7.times")
	if err := l.pack(7); err != nil {
		t.Fatal(err)
	}
	check("7.log.zst")
	add(t, l, 7, 50, text[50:300]) // again what it has
	check("7.log.zst")
	if err := l.Append(7, size+1, []byte("x")); err == nil {
		t.Error("a hole was made")
	}
	text += "more"
	size += 4
	add(t, l, 7, size-5, text[size-5:])
	check("7.log 7.times")
	if err := l.pack(7); err != nil {
		t.Fatal(err)
	}
	check("7.log.zst")
}

// TestEndPacks waits for what End sets off.
func TestEndPacks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, _ := openAt(t)
		add(t, l, 1, 0, strings.Repeat("long\n", worthPacking))
		add(t, l, 2, 0, "short\n")
		l.End(1, 2, 3)
		synctest.Wait()
		if got := files(t, l); got != "1.log.zst 2.log" {
			t.Errorf("files %s", got)
		}
		if got := times(t, l, 2); !strings.HasPrefix(got, "0+") {
			t.Errorf("times of a short log: %q", got)
		}
		if got := times(t, l, 3); got != "" {
			t.Errorf("times of no log: %q", got)
		}
	})
}

// TestCrashWhilePacking leaves what a crash can leave: the log counts as long as it is there.
func TestCrashWhilePacking(t *testing.T) {
	t.Parallel()
	l, c := openAt(t)
	text := strings.Repeat("x", worthPacking)
	add(t, l, 1, 0, text)
	path := l.path(1)
	if err := l.pack(1); err != nil {
		t.Fatal(err)
	}
	half, err := os.ReadFile(packedPath(path))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{packedPath(path) + ".tmp": half[:10], path: []byte(text), timesPath(path): []byte("torn")} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.at = c.at.Add(time.Minute)
	add(t, l, 1, int64(len(text)), "y")
	if got := read(t, l, 1, 0); got != text+"y" {
		t.Errorf("%d bytes, want %d", len(got), len(text)+1)
	}
	if err := l.pack(1); err != nil {
		t.Fatal(err)
	}
	if got := read(t, l, 1, 0); got != text+"y" {
		t.Errorf("packed: %d bytes, want %d", len(got), len(text)+1)
	}
	if err := os.WriteFile(packedPath(path), []byte("no log"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Size(1); err == nil {
		t.Error("something else passes for a packed log")
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	l, c := openAt(t)
	long := strings.Repeat("x", worthPacking)
	age := map[engine.AttemptID]time.Duration{1: 91 * 24 * time.Hour, 2: 91 * 24 * time.Hour, 3: 25 * time.Hour, 4: time.Hour}
	for id, a := range age {
		add(t, l, id, 0, long)
		if id == 2 {
			if err := l.pack(id); err != nil {
				t.Fatal(err)
			}
		}
		then := c.at.Add(-a)
		for _, path := range []string{l.path(id), packedPath(l.path(id))} {
			if err := os.Chtimes(path, then, then); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	if n, err := l.Sweep(c.at.Add(-90 * 24 * time.Hour)); n != 2 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	if got := files(t, l); got != "3.log.zst 4.log" {
		t.Errorf("files %s", got)
	}
	add(t, l, 1, 0, "anew")
	if got := read(t, l, 1, 0); !strings.HasPrefix(got, "anew") {
		t.Errorf("after its removal: %q", got)
	}
}

// TestAppendsAndPacks has logs appended to, packed and dropped in any order: they hold what was appended.
func TestAppendsAndPacks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "logs-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // in the folder for temporary files
		c := &clock{testTime}
		l, err := Open(dir, c.now)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		want := ""
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"append", "append", "pack", "end", "reopen"}).Draw(t, "step") {
			case "append":
				from := rapid.IntRange(0, len(want)).Draw(t, "from")
				more := strings.Repeat(rapid.StringMatching(`[a-c\n]{0,3}`).Draw(t, "text"), rapid.IntRange(0, 2*worthPacking).Draw(t, "n"))
				if err := l.Append(1, int64(from), []byte(want[from:]+more)); err != nil {
					t.Fatal(err)
				}
				want += more
			case "pack":
				if err := l.pack(1); err != nil {
					t.Fatal(err)
				}
			case "end":
				l.End(1)
			case "reopen":
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				if l, err = Open(dir, c.now); err != nil {
					t.Fatal(err)
				}
			}
			c.at = c.at.Add(rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(t, "pause"))
			var b strings.Builder
			if _, err := l.Copy(1, 0, &b); err != nil || b.String() != want {
				t.Fatalf("%d bytes, %v; want %d", b.Len(), err, len(want))
			}
			if size, err := l.Size(1); size != int64(len(want)) || err != nil {
				t.Fatalf("size %d, %v; want %d", size, err, len(want))
			}
		}
		marks, err := l.Times(1)
		if err != nil || (len(want) > 0) != (len(marks) > 0) {
			t.Fatalf("times %v, %v of %d bytes", marks, err, len(want))
		}
		for i := 1; i < len(marks); i++ {
			if marks[i].Offset <= marks[i-1].Offset || marks[i].At.Before(marks[i-1].At) {
				t.Fatalf("times %v", marks)
			}
		}
	})
}
