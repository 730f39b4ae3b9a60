package phone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"flowctl/plugins/sdk"
)

// message returns the samples of what is said.
func (s *settings) message(ctx context.Context, n *sdk.Notification) ([]int16, error) {
	if s.WAV == "" {
		return s.speak(ctx, s.spoken(n))
	}
	file, err := os.ReadFile(s.WAV)
	if err != nil {
		return nil, fmt.Errorf("with/wav: %w", err)
	}
	samples, err := readWAV(file)
	if err != nil {
		return nil, fmt.Errorf("with/wav: %s: %w", s.WAV, err)
	}
	if len(samples) > longest {
		return nil, fmt.Errorf("with/wav: %s lasts %d seconds: want at most %d", s.WAV, len(samples)/rate, longest/rate)
	}
	return samples, nil
}

// spoken is the text of a call: nobody can open a link by phone, and a key acknowledges.
func (s *settings) spoken(n *sdk.Notification) string {
	var lines []string
	for line := range strings.Lines(n.Short) {
		if n.AckURL == "" || !strings.Contains(line, n.AckURL) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if n.AckURL != "" {
		lines = append(lines, s.prompt())
	}
	return strings.Join(lines, "\n\n") // an empty line is a pause
}

// speak has a text spoken.
func (s *settings) speak(ctx context.Context, text string) ([]int16, error) {
	program, err := exec.LookPath("espeak-ng")
	if err != nil {
		return nil, errors.New("there is no espeak-ng on the server to speak the message: install it, or name a file in with/wav")
	}
	var out, complaint bytes.Buffer
	c := exec.CommandContext(ctx, program, "-v", s.Voice, "-s", strconv.Itoa(s.Speed), "-b", "1", "--stdin", "--stdout")
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(text), &out, &complaint
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("espeak-ng with voice %s: %w: %s", s.Voice, err, strings.TrimSpace(complaint.String()))
	}
	samples, err := readWAV(out.Bytes())
	if err != nil {
		return nil, fmt.Errorf("what espeak-ng wrote: %w", err)
	}
	return samples[:min(len(samples), longest)], nil
}
