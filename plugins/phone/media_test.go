package phone

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

// decoded is the decoder of a law (ITU-T G.711): the value of each code, of 16 bits.
func decoded(l law) [256]int {
	var table [256]int
	for code := range 256 {
		if l(0) == 0xff { // mu-law
			c := ^byte(code)
			value := (int(c&0x0f)<<3+0x84)<<(c>>4&7) - 0x84
			if c&0x80 != 0 {
				value = -value
			}
			table[code] = value
			continue
		}
		c := byte(code) ^ 0x55
		value := int(c&0x0f)<<4 + 8
		if exponent := c >> 4 & 7; exponent > 0 {
			value = (value + 0x100) << (exponent - 1)
		}
		if c&0x80 == 0 {
			value = -value
		}
		table[code] = value
	}
	return table
}

// A value of the table has its own code, louder samples have louder codes, and silence has the code that the standard gives it.
func TestLaws(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]law{"mu": muLaw, "A": aLaw} {
		table := decoded(l)
		for code, value := range table {
			if got := l(int16(value)); table[got] != value {
				t.Errorf("%s-law: %#x is %d, whose code is %#x", name, code, value, got)
			}
		}
		for sample := math.MinInt16; sample < math.MaxInt16; sample++ {
			if table[l(int16(sample))] > table[l(int16(sample+1))] {
				t.Fatalf("%s-law: %d is louder than %d", name, sample, sample+1)
			}
		}
	}
	if muLaw(0) != 0xff || aLaw(0) != 0xd5 {
		t.Errorf("silence is %x and %x", muLaw(0), aLaw(0))
	}
}

// wavFile writes a WAV file of PCM.
func wavFile(channels, width, speed int, data []byte) []byte {
	b := []byte("RIFF\xff\xff\xff\x7fWAVELIST\x03\x00\x00\x00abc\x00fmt \x10\x00\x00\x00\x01\x00")
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(speed))
	b = binary.LittleEndian.AppendUint32(b, uint32(speed*channels*width/8))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels*width/8))
	b = binary.LittleEndian.AppendUint16(b, uint16(width))
	return append(append(b, "data\xff\xff\xff\x7f"...), data...)
}

// tone is a WAV file of 1 kHz.
func tone(samples int) []byte {
	var data []byte
	for i := range samples {
		data = binary.LittleEndian.AppendUint16(data, uint16(int16(8000*math.Sin(2*math.Pi*float64(i)/8))))
	}
	return wavFile(1, 16, rate, data)
}

func TestReadWAV(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file []byte
		want []int16
	}{
		"plain":         {wavFile(1, 16, 8000, []byte{1, 0, 0xff, 0xff}), []int16{1, -1}},
		"cut off":       {wavFile(1, 16, 8000, []byte{1, 0, 0xff}), []int16{1}},
		"8 bits":        {wavFile(1, 8, 8000, []byte{128, 0, 255}), []int16{0, -32768, 127 << 8}},
		"stereo":        {wavFile(2, 16, 8000, []byte{2, 0, 4, 0}), []int16{3}},
		"twice as fast": {wavFile(1, 16, 16000, []byte{2, 0, 4, 0, 6, 0, 8, 0}), []int16{3, 7}},
	} {
		if got, err := readWAV(c.file); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"another file": {[]byte("hello"), "no WAV"},
		"slow":         {wavFile(1, 16, 4000, []byte{1, 0}), "4000"},
		"24 bits":      {wavFile(1, 24, 8000, []byte{1, 0, 0}), "24 bits"},
		"empty":        {wavFile(1, 16, 8000, nil), "no audio"},
		"no format":    {[]byte("RIFF....WAVEdata\x02\x00\x00\x00ab"), "before its format"},
		"no more":      {[]byte("RIFF....WAVE"), "no audio"},
	} {
		if _, err := readWAV(c.file); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

func FuzzReadWAV(f *testing.F) {
	f.Add(tone(10))
	f.Add(wavFile(2, 8, 44100, bytes.Repeat([]byte{1}, 100)))
	f.Fuzz(func(t *testing.T, file []byte) {
		samples, err := readWAV(file)
		if (err == nil) != (len(samples) > 0) || len(samples) > len(file) {
			t.Errorf("%d samples, %v", len(samples), err)
		}
	})
}

const answered = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"

func TestParseAnswer(t *testing.T) {
	t.Parallel()
	at := netip.MustParseAddrPort
	for text, want := range map[string]stream{
		answered + "m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n":                                                                       {at: at("10.0.0.1:4000"), kind: 0, event: 101},
		answered + "m=audio 4000 RTP/AVP 18 8\na=ptime:20\n":                                                                                                     {at: at("10.0.0.1:4000"), kind: 8},
		answered + "m=audio 4000/2 RTP/AVP 97\nc=IN IP4 10.0.0.2/127\na=rtpmap:97 pcmu/8000/1\n":                                                                 {at: at("10.0.0.2:4000"), kind: 97},
		answered + "m=video 1 RTP/AVP 0\nc=IN IP4 1.1.1.1\nm=audio 0 RTP/AVP 0\nm=audio 4002 RTP/AVP 8\nm=video 3 RTP/AVP 9\nc=IN IP4 2.2.2.2\na=rtpmap:8 x/1\n": {at: at("10.0.0.1:4002"), kind: 8},
		"c=IN IP6 ::1\nm=audio 4000 RTP/AVP 8\n":                                                                                                                 {at: at("[::1]:4000"), kind: 8},
	} {
		got, err := parseAnswer(text)
		if err != nil || (got.law(0) == muLaw(0)) == (got.kind == 8) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if got.law = nil; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
	for text, says := range map[string]string{
		"": "no audio", answered: "no audio", answered + "m=audio 0 RTP/AVP 0\n": "no audio", answered + "m=audio 1 RTP/SAVP 0\n": "no audio",
		answered + "m=audio 1 RTP/AVP 9\n": "G.711", answered + "m=audio 1 RTP/AVP 0\na=rtpmap:0 opus/48000/2\n": "G.711",
		answered + "m=audio x RTP/AVP 0\n": "port", answered + "m=audio 99999 RTP/AVP 0\n": "port", answered + "m=audio 1 RTP/AVP 200\n": "payload type",
		"m=audio 1 RTP/AVP 0\n": "where", "c=IN IP4 h\nm=audio 1 RTP/AVP 0\n": `"h"`, "c=IN IP4 0.0.0.0\nm=audio 1 RTP/AVP 0\n": "0.0.0.0",
	} {
		if _, err := parseAnswer(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

// An offer is an answer that takes all of it.
func TestOffer(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"10.0.0.1:4000", "[2001:db8::1]:4000"} {
		got, err := parseAnswer(offer(netip.MustParseAddrPort(at), 7))
		if err != nil || got.at.String() != at || got.kind != typePCMU || got.event != typeEvent {
			t.Errorf("%s: %+v, %v", at, got, err)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add(answered + "m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n")
	f.Add("c=IN IP6 ::1/1\nm=audio 1/2 RTP/AVP 97\na=rtpmap:97 PCMA/8000")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseAnswer(text)
		if err == nil && (s.law == nil || s.at.Port() == 0 || !s.at.Addr().IsValid()) {
			t.Errorf("%+v", s)
		}
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for i := range len(keys) {
		if got := eventKey(eventPayload(keys[i], true, 160)); got != keys[i] {
			t.Errorf("%c becomes %c", keys[i], got)
		}
	}
	for _, payload := range [][]byte{nil, {1}, {1, 2, 3}, {16, 0, 0, 0}, {255, 0, 0, 0}} {
		if got := eventKey(payload); got != 0 {
			t.Errorf("%v is %c", payload, got)
		}
	}
	for _, c := range []struct {
		kind, body string
		want       byte
	}{
		{"application/dtmf-relay", "Signal=1\r\nDuration=160\r\n", '1'},
		{"application/dtmf-relay", "Duration=160\nsignal = * \n", '*'},
		{"Application/DTMF-Relay; charset=utf-8", "Signal=#", '#'},
		{"application/dtmf-relay", "Signal=10", '*'},
		{"application/dtmf-relay", "Signal=16", 0},
		{"application/dtmf-relay", "Signal=", 0},
		{"application/dtmf-relay", "1", 0},
		{"application/dtmf", " d\r\n", 'D'},
		{"application/dtmf", "5", '5'},
		{"application/dtmf", "Signal=5", 0},
		{"text/plain", "1", 0},
	} {
		if got := infoKey(c.kind, c.body); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.kind, c.body, got, c.want)
		}
	}
}

func FuzzInfoKey(f *testing.F) {
	f.Add("application/dtmf-relay", "Signal=1\r\nDuration=160\r\n")
	f.Add("application/dtmf", "5")
	f.Fuzz(func(t *testing.T, kind, body string) {
		if got := infoKey(kind, body); got != 0 && strings.IndexByte(keys, got) < 0 {
			t.Errorf("%q", got)
		}
	})
}

func FuzzEventKey(f *testing.F) {
	f.Add(eventPayload('1', false, 160))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if got := eventKey(payload); got != 0 && strings.IndexByte(keys, got) < 0 {
			t.Errorf("%q", got)
		}
	})
}
