package ssh

import (
	"bytes"
	_ "embed" // the far half
	"fmt"
	"io"
	"strings"
)

//go:embed remote.sh
var remoteScript string

// cache is where everything of flowctl lies on the host.
const cache = `"${XDG_CACHE_HOME:-$HOME/.cache}/flowctl"`

// shellCommand wraps a script so that every login shell hands it to /bin/sh. It must not hold what some of them treat within single quotes: ' ! \ and newlines.
func shellCommand(script string) string { return "exec /bin/sh -c '" + script + "'" }

// verb is the command for a verb of remote.sh.
func (o order) verb(words string) string {
	return shellCommand("cd " + cache + "/attempts/" + o.ID + " && exec /bin/sh ./remote.sh " + words)
}

// run executes a command on the host. An error holds what it wrote to stderr.
func (c *connection) run(command string, in io.Reader, out io.Writer) error {
	s, err := c.NewSession()
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	var trouble bytes.Buffer
	s.Stdin, s.Stdout, s.Stderr = in, out, &trouble
	if err := s.Run(command); err != nil {
		if text := strings.TrimSpace(trouble.String()); text != "" {
			return fmt.Errorf("%s (%w)", text, err)
		}
		return err
	}
	return nil
}

// prepare brings the attempt and its files to the host. It starts nothing, and changes nothing of an attempt that began.
func (c *connection) prepare(o order, hash string, tree io.Reader) error {
	var far, answer bytes.Buffer
	if err := o.packFar(&far); err != nil {
		return err
	}
	err := c.run(shellCommand("umask 077; mkdir -p "+cache+"/attempts "+cache+"/trees && cd "+cache+" && tar -xof - && exec /bin/sh attempts/"+o.ID+"/remote.sh tree "+hash), &far, &answer)
	if err != nil {
		return fmt.Errorf("write to ~/.cache/flowctl there: %w", err)
	}
	switch strings.TrimSpace(answer.String()) {
	case "have":
		return nil
	case "want":
	default:
		return fmt.Errorf("write to ~/.cache/flowctl there: got %q: does the account's login print something of its own?", clip(answer.String()))
	}
	err = c.run(shellCommand("umask 077; cd "+cache+"/attempts/"+o.ID+" && mkdir tree.new && cd tree.new && tar -xof - && cd .. && exec /bin/sh ./remote.sh place "+hash), tree, io.Discard)
	if err != nil {
		return fmt.Errorf("send the flow's folder: %w", err)
	}
	return nil
}

// end ends what runs of an attempt, or makes sure that it will never start.
func (c *connection) end(o order) error { return c.run(o.verb("end"), nil, io.Discard) }

// forget removes the attempt's folder. One that stays is removed after a week.
func (c *connection) forget(o order) { _ = c.run(o.verb("forget"), nil, io.Discard) }

// maxOutputs is how much of the outputs is brought here. The agent refuses less than this.
const maxOutputs = 1 << 20

// finish reads what is left of the log from offset on, and the outputs.
func (c *connection) finish(o order, offset int64, log io.Writer) (outputs []byte, err error) {
	s, err := c.NewSession()
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	var out bytes.Buffer
	s.Stdout, s.Stderr = log, &out
	if err := s.Run(o.verb(fmt.Sprintf("finish %d %d", offset+1, maxOutputs))); err != nil {
		return nil, fmt.Errorf("read the end of the log: %w", err)
	}
	return out.Bytes(), nil
}

// clip shortens text for a message.
func clip(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}
