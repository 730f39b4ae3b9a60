package process

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"flowctl/plugins/internal/proc"
)

func TestJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	pid := 100
	fork := func() (int, *proc.Handle, error) { pid++; return pid, nil, nil }
	first, _, err := j.start(Begun{Work: "/w/a \"b\"\n", Deadline: 5, Timeout: time.Second, Grace: time.Minute}, fork)
	if err != nil {
		t.Fatal(err)
	}
	failure := errors.New("no")
	if _, _, err := j.start(Begun{Work: "/w/failed"}, func() (int, *proc.Handle, error) { return 0, nil, failure }); !errors.Is(err, failure) {
		t.Errorf("got %v, want the fork's error", err)
	}
	all, err := ReadJournal(dir)
	if err != nil || len(all) != 2 || !reflect.DeepEqual(all[0], first) || !all[1].Failed || all[1].Work != "/w/failed" {
		t.Errorf("got %+v, %v; want %+v and a failure", all, err, first)
	}
}

// A journal is cut back to what is live, and what is live stays.
func TestJournalCompacts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	fork := func() (int, *proc.Handle, error) { return 7, nil, nil }
	kept, _, err := j.start(Begun{Work: "/kept"}, fork)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10_000 {
		work := fmt.Sprint("/done/", n)
		if _, _, err := j.start(Begun{Work: work}, fork); err != nil {
			t.Fatal(err)
		}
		j.end(work)
	}
	all, err := ReadJournal(dir)
	if err != nil || !reflect.DeepEqual(all[0], kept) || len(all) > compactAt/20 {
		t.Errorf("%d entries, the first %+v, %v; want few, the first %+v", len(all), all[0], err, kept)
	}
}

// Whatever the bytes, reading them does not panic, and what is read survives writing it again.
func FuzzJournal(f *testing.F) {
	for _, s := range []string{
		"", "i 1 2 3 4 \"/w\"\np 5 6\n", "i 1 0 0 0 \"/w\"\nf\n", "i 1 0 0 0 \"/w\"\np 5", "p 1 2\n", "f\n", "i x 0 0 0 \"\"\n", "i 1 2 3 4 /w\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		all := parseJournal(b)
		var again []byte
		for _, s := range all {
			again = appendIntent(again, s)
			if s.PID != 0 || s.To != 0 {
				again = appendPID(again, s.PID, s.To)
			}
			if s.Failed {
				again = append(again, "f\n"...)
			}
		}
		if got := parseJournal(again); !reflect.DeepEqual(got, all) {
			t.Errorf("read again: %+v, want %+v", got, all)
		}
	})
}
