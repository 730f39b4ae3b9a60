package cli

import (
	"strings"
	"testing"
	"time"

	"flowctl/engine"
)

func TestStamper(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 19, 0, 0, 0, 0, time.UTC)
	var b strings.Builder
	s := &stamper{out: &b, fresh: true, now: func() time.Time { return at.Add(time.Hour) }, times: engine.LogTimes{SizeBytes: 15, Items: []engine.LogTime{
		{Offset: 0, At: at}, {Offset: 2, At: at.Add(time.Second)}, {Offset: 8, At: at.Add(2 * time.Second)},
	}}}
	for _, piece := range []string{"one\ntw", "o\nthree\n", "\nlate"} {
		if n, err := s.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	want := "2026-11-19T00:00:00Z one\n2026-11-19T00:00:01Z two\n2026-11-19T00:00:02Z three\n2026-11-19T00:00:02Z \n2026-11-19T01:00:00Z late"
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNextSweep(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for now, want := range map[string]string{
		"2026-11-19T02:09:59": "2026-11-19T02:10:00", "2026-11-19T02:10:00": "2026-11-20T02:10:00", "2026-12-31T12:00:00": "2027-01-01T02:10:00",
		"2026-03-29T01:00:00": "2026-03-29T03:10:00", // 02:10 does not exist
	} {
		at, err := time.ParseInLocation("2006-01-02T15:04:05", now, berlin)
		if err != nil {
			t.Fatal(err)
		}
		if got := nextSweep(at).Format("2006-01-02T15:04:05"); got != want {
			t.Errorf("after %s: %s, want %s", now, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "64MiB": 64 << 20, "1 kB": 1000, "12": 12} {
		var s byteSize
		if err := s.Set(text); err != nil || s.bytes != want {
			t.Errorf("%s: %d, %v", text, s.bytes, err)
		}
	}
	for _, text := range []string{"", "x", "-1MiB", "99999999999 EiB"} {
		if err := new(byteSize).Set(text); err == nil {
			t.Errorf("%q is a size", text)
		}
	}
	if got := defaultMaxLog.String(); got != "64 MiB" {
		t.Errorf("the default is %s", got)
	}
}
