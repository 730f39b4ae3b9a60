package agent

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// shipped is what becomes of a log, taken all at once.
func shipped(log []byte, longest int, secrets [][]byte) []byte {
	covered := make([]bool, len(log))
	for i := range log {
		for _, s := range secrets {
			if bytes.HasPrefix(log[i:], s) {
				for j := range s {
					covered[i+j] = true
				}
			}
		}
	}
	masked := bytes.Clone(log)
	for i, c := range covered {
		if c {
			masked[i] = '*'
		}
	}
	tail := min(maxTail, longest/2)
	head := longest - tail
	if longest == 0 || len(log) <= head {
		return masked
	}
	out := fmt.Appendf(masked[:head:head], "\n[flowctl: the log is longer than %d bytes; its end follows when the task has ended]\n", head)
	if left := len(log) - head - tail; left > 0 {
		out = fmt.Appendf(out, "\n[flowctl: %d bytes are left out here]\n", left)
	}
	return append(out, masked[max(head, len(log)-tail):]...)
}

// TestShipment sends logs in pieces, with the server asking again from anywhere in what it has got, as after a lost stream or a torn write.
func TestShipment(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.SliceOfN(rapid.SampledFrom([]byte("ab\n")), 0, 60)
		log := letters.Draw(t, "log")
		secrets := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom([]byte("ab")), 1, 5), 0, 3).Draw(t, "secrets")
		longest := rapid.SampledFrom([]int{0, 1, 2, 7, 20, 100}).Draw(t, "longest")
		want := shipped(log, longest, secrets)
		log = bytes.Clone(log) // what is on the disk of it
		var server []byte
		for try := range 4 {
			from := int64(len(server))
			ship, at := newShipment(from, int64(longest), secrets, func(offset int64, data []byte) error {
				if offset != int64(len(server)) || len(data) == 0 {
					t.Fatalf("%d bytes at %d, and the server has %d", len(data), offset, len(server))
				}
				server = append(server, data...)
				return nil
			})
			if at > from || at > int64(len(log)) {
				t.Fatalf("reads from %d of %d, and the server has %d", at, len(log), from)
			}
			breaks := try < 3 && rapid.Bool().Draw(t, "breaks")
			for at < int64(len(log)) && !(breaks && rapid.IntRange(0, 4).Draw(t, "now") == 0) {
				n := rapid.Int64Range(1, int64(len(log))-at).Draw(t, "n")
				if err := ship.take(at, log[at:at+n]); err != nil {
					t.Fatal(err)
				}
				at += n
				if from, to := ship.useless(); from < to {
					clear(log[from:to])
				}
			}
			if !bytes.HasPrefix(want, server) {
				t.Fatalf("sent %q, want a beginning of %q", server, want)
			}
			if at == int64(len(log)) && !breaks {
				if err := ship.end(); err != nil {
					t.Fatal(err)
				}
				break
			}
			server = server[:rapid.IntRange(0, len(server)).Draw(t, "kept")]
		}
		if !bytes.Equal(server, want) {
			t.Fatalf("sent %q, want %q", server, want)
		}
	})
}

// TestShipmentIsLive holds back only what may become a secret.
func TestShipmentIsLive(t *testing.T) {
	t.Parallel()
	var got []byte
	ship, _ := newShipment(0, 0, [][]byte{[]byte("sesame")}, func(_ int64, data []byte) error {
		got = append(got, data...)
		return nil
	})
	for _, step := range []struct{ piece, want string }{
		{"open se", "open "}, {"s", "open "}, {"t\n", "open sest\n"}, {"sesam", "open sest\n"}, {"e!", "open sest\n******!"},
	} {
		if err := ship.take(0, []byte(step.piece)); err != nil || string(got) != step.want {
			t.Errorf("after %q: %q, %v; want %q", step.piece, got, err, step.want)
		}
	}
}

func BenchmarkShipment(b *testing.B) {
	log := bytes.Repeat([]byte("2026-11-19 00:00:00 INFO partition written\n"), 1500)
	for name, secrets := range map[string][][]byte{"none": nil, "10": {
		[]byte("hunter2hunter2"), []byte("s3cr3t-0001"), []byte("s3cr3t-0002"), []byte("s3cr3t-0003"), []byte("s3cr3t-0004"), []byte("s3cr3t-0005"),
		[]byte("s3cr3t-0006"), []byte("s3cr3t-0007"), []byte("s3cr3t-0008"), []byte("s3cr3t-0009"),
	}} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(log)))
			b.ReportAllocs()
			ship, _ := newShipment(0, 0, secrets, func(int64, []byte) error { return nil })
			for b.Loop() {
				if err := ship.take(0, log); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
