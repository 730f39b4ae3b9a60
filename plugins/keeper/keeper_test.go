package keeper

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

func TestHandshake(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"1|1|unix|/tmp/plugin1|grpc|\n":       "",
		"1|1|unix|/tmp/plugin1|grpc|x|true\n": "",
		"":                                    Died,
		"1|1|unix|/tmp/plugin1|grpc":          Died,
		"hello\n":                             "no go-plugin gRPC handshake",
		"1|1|tcp|127.0.0.1:1|netrpc|\n":       "no go-plugin gRPC handshake",
		strings.Repeat("x", 1<<20):            "no go-plugin gRPC handshake",
		"1|1|tcp|127.0.0.1:1|grpc|\n":         "want a unix socket",
		"2|1|unix|/tmp/plugin1|grpc|\n":       `core protocol "2"`,
		"1|one|unix|/tmp/plugin1|grpc|\n":     "is not a number",
	} {
		got, err := handshake(bufio.NewReader(strings.NewReader(line)))
		switch {
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: got error %v, want %q", line, err, want)
		case want == "" && (err != nil || got != Reattach{Protocol: 1, Network: "unix", Address: "/tmp/plugin1"}):
			t.Errorf("%q: got %+v, %v", line, got, err)
		}
	}
}

func FuzzHandshake(f *testing.F) {
	for _, line := range []string{"1|1|unix|/tmp/plugin1|grpc|\n", "1|1|tcp|127.0.0.1:1|grpc\n", "||||\n", "hello", "\x00\xff|1|unix|a|grpc\n"} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, printed []byte) {
		r, err := handshake(bufio.NewReader(bytes.NewReader(printed)))
		if err != nil && len(err.Error()) > 2000 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
		if err == nil && (r.Network != "unix" || strings.Contains(r.Address, "|")) {
			t.Errorf("took %q as %+v", printed, r)
		}
	})
}
