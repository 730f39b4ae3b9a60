package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"flowctl/plugins/account"
)

// maxOutput bounds $FLOWCTL_OUTPUT, in bytes: outputs are facts for later tasks and for people, not data.
const maxOutput = 64 << 10

// readOutputs reads the key=value lines that an attempt wrote. No file is no outputs. The error is the task's mistake.
func readOutputs(path string, who *account.User) (map[string]string, error) {
	f, err := openOutput(path, who)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("$FLOWCTL_OUTPUT cannot be read: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	data, err := io.ReadAll(io.LimitReader(f, maxOutput+1))
	if err != nil {
		return nil, fmt.Errorf("$FLOWCTL_OUTPUT cannot be read: %w", err)
	}
	return parseOutputs(data)
}

// openOutput opens what an attempt wrote. What another account made must be a file of its own: a link could lead to what only the agent may read.
func openOutput(path string, who *account.User) (*os.File, error) {
	if who == nil {
		return os.Open(path)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || !who.Owns(info) {
		return nil, errors.Join(fmt.Errorf("it is no file of %s", who.Name), err, f.Close())
	}
	return f, nil
}

// parseOutputs reads key=value lines. Blank lines are skipped, the last line of a key counts, and everything after the first
// '=' is the value.
func parseOutputs(data []byte) (map[string]string, error) {
	if len(data) > maxOutput {
		return nil, fmt.Errorf("$FLOWCTL_OUTPUT is larger than %d bytes: write data to a file and its path here", maxOutput)
	}
	outputs := map[string]string{}
	no := 0
	for line := range bytes.Lines(data) {
		no++
		text := strings.TrimRight(string(line), "\r\n")
		if strings.TrimSpace(text) == "" {
			continue
		}
		key, value, ok := strings.Cut(text, "=")
		key = strings.TrimSpace(key)
		switch {
		case !utf8.ValidString(text):
			return nil, fmt.Errorf("$FLOWCTL_OUTPUT line %d is not UTF-8", no)
		case !ok || key == "":
			return nil, fmt.Errorf("$FLOWCTL_OUTPUT line %d is %q: write key=value", no, clip(text))
		}
		outputs[key] = value
	}
	return outputs, nil
}

// clip shortens text for a message.
func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}
