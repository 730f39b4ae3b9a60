package dsl

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// FuzzDuration reads anything as a duration: what is accepted is no longer than allowed, and as long as package time says, which knows no days.
func FuzzDuration(f *testing.F) {
	for _, text := range []string{"600s", "1h30m", "7d", "0s", "1d2h3m4s", "1m1h", "36600d", "36601d", "99999999999999999999s", "1.5h", "-1s", "١s", "1 h", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDuration(text)
		if err != nil {
			return
		}
		if d < 0 || d > maxDuration {
			t.Fatalf("%q is %v", text, d)
		}
		if !strings.Contains(text, "d") {
			if want, err := time.ParseDuration(text); err != nil || d != want {
				t.Fatalf("%q is %v, and by package time %v (%v)", text, d, want, err)
			}
		}
	})
}

// FuzzSize reads anything as an amount of memory: what is accepted is at least a byte, and a number of bytes is itself.
func FuzzSize(f *testing.F) {
	for _, text := range []string{"2GiB", "512MiB", "1KiB", "0", "1B", "1GB", "-1MiB", "1.5GiB", "9223372036854775807", "9223372036854775807GiB", "GiB", " 1MiB", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		size, err := ParseSize(text)
		if err != nil {
			return
		}
		if size < 1 {
			t.Fatalf("%q is %d", text, size)
		}
		if n, err := strconv.ParseInt(strings.TrimSuffix(text, "B"), 10, 53); err == nil && n != size {
			t.Fatalf("%q is %d", text, size)
		}
	})
}
