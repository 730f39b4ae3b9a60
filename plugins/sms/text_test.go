package sms

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
)

func TestParts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		narrow bool
		want   int
	}{
		{"", false, 1},
		{strings.Repeat("x", 160), false, 1},
		{strings.Repeat("x", 161), false, 2},
		{strings.Repeat("x", 304), false, 2},
		{strings.Repeat("x", 305), false, 3},
		{strings.Repeat("x", 306), true, 2},
		{strings.Repeat("x", 307), true, 3},
		{strings.Repeat("€", 80), false, 1}, // two septets each
		{strings.Repeat("€", 81), false, 2},
		{"x" + strings.Repeat("€", 152), false, 3}, // none is cut in two: 151 septets, 152, 2
		{strings.Repeat("上", 70), false, 1},
		{strings.Repeat("上", 71), false, 2},
		{strings.Repeat("上", 132), false, 2},
		{strings.Repeat("上", 133), false, 3},
		{strings.Repeat("上", 134), true, 2},
		{strings.Repeat("上", 135), true, 3},
		{"x" + strings.Repeat("🙂", 66), false, 3}, // 65 units, 66, 2
		{strings.Repeat("上", defaultLength), false, 3},
		{strings.Repeat("x", 1<<16), true, maxParts},
	} {
		if got := split(c.text, 7, c.narrow); len(got) != c.want {
			t.Errorf("%d × %.4q: %d parts, want %d", len(c.text), c.text, len(got), c.want)
		}
	}
}

func TestAlphabet(t *testing.T) {
	t.Parallel()
	if n := len([]rune(alphabet)); n != 128 {
		t.Errorf("the alphabet has %d characters", n)
	}
	// From the table of 3GPP TS 23.038.
	for text, want := range map[string]string{
		"@": "\x00", "_": "\x11", " ": "\x20", "A": "\x41", "Ä": "\x5b", "a": "\x61", "à": "\x7f", "€": "\x1b\x65", "[": "\x1b\x3c", "|": "\x1b\x40", "\f": "\x1b\x0a",
	} {
		units, ok := septets(text)
		if !ok || string(join(units)) != want {
			t.Errorf("%q: %q, %t; want %q", text, units, ok, want)
		}
	}
	for _, text := range []string{"`", "ç", "上", "\x1b"} {
		if units, ok := septets(text); ok {
			t.Errorf("%q: %q", text, units)
		}
	}
}

// FuzzSplit puts the parts of any text together again.
func FuzzSplit(f *testing.F) {
	f.Add("plain", true)
	f.Add(strings.Repeat("{€}", 60), false)
	f.Add(strings.Repeat("🙂上", 60), true)
	f.Fuzz(func(t *testing.T, text string, narrow bool) {
		if len(text) > 1<<13 {
			return
		}
		var whole []byte
		parts := split(text, 0x1234, narrow)
		for i, p := range parts {
			body := p.body
			if p.header {
				body = body[body[0]+1:]
				if end := p.body[len(p.body)-len(body)-2:]; int(end[0]) != len(parts) || int(end[1]) != i+1 {
					t.Fatalf("part %d of %d says % x", i+1, len(parts), p.body[:8])
				}
			}
			if n := len(p.body); p.coding == codingUCS2 && n > 140 || p.coding == codingGSM && (n-len(body))+(len(body)*7+7)/8 > 140 {
				t.Fatalf("a part of %d bytes", n)
			}
			whole = append(whole, body...)
		}
		want := strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x1b", " ")
		if parts[0].coding == codingGSM {
			units, _ := septets(want)
			if !bytes.Equal(whole, join(units)) {
				t.Fatalf("%q became %q", want, whole)
			}
			return
		}
		var units []uint16
		for i := 0; i < len(whole); i += 2 {
			units = append(units, binary.BigEndian.Uint16(whole[i:]))
		}
		if got := string(utf16.Decode(units)); got != want {
			t.Fatalf("%q became %q", want, got)
		}
	})
}
