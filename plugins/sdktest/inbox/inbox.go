// Package inbox is a channel for tests: it keeps what it is sent in a file, and fails when it is told to. It is also the
// smallest whole example of a channel; flowctl-channel-file below it is the plugin.
package inbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flowctl/plugins/sdk"
)

// Channel keeps notifications in a file; its zero value is ready.
type Channel struct{}

// with is the channel's configuration.
type with struct {
	Path         string   `json:"path"`         // of the file: a notification as JSON on each line
	Address      string   `json:"address"`      // what it takes: email, number or none
	Down         string   `json:"down"`         // while this file exists, sending fails with its content
	Refuse       []string `json:"refuse"`       // addresses that it does not take
	Busy         []string `json:"busy"`         // addresses that do not answer
	Acknowledges []string `json:"acknowledges"` // addresses that acknowledge at once
	MaxLength    int      `json:"max_length"`
	Password     string   `json:"password"` // is not kept
}

const schema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["path"],
  "properties": {
    "path": {"type": "string", "description": "the file, absolute"},
    "address": {"enum": ["email", "number", "none"]},
    "down": {"type": "string", "description": "while this file exists, sending fails"},
    "refuse": {"type": "array", "items": {"type": "string"}},
    "busy": {"type": "array", "items": {"type": "string"}},
    "acknowledges": {"type": "array", "items": {"type": "string"}},
    "max_length": {"type": "integer", "minimum": 0},
    "password": {"type": "string"}
  }
}`

// Describe implements sdk.Plugin.
func (Channel) Describe() sdk.Description {
	return sdk.Description{Name: "file", Version: "1", Kind: sdk.KindChannel, Schema: json.RawMessage(schema)}
}

// Validate implements sdk.Plugin.
func (Channel) Validate(doc json.RawMessage) []sdk.Problem {
	w, problems := parse(doc)
	if len(problems) > 0 {
		return problems
	}
	if !filepath.IsAbs(w.Path) {
		problems = append(problems, sdk.Problem{Path: "/path", Message: "want the absolute path of a file"})
	}
	if !slices.Contains([]string{sdk.AddressEmail, sdk.AddressNumber, sdk.AddressNone}, w.Address) {
		problems = append(problems, sdk.Problem{Path: "/address", Message: "want email, number or none"})
	}
	if w.MaxLength < 0 {
		problems = append(problems, sdk.Problem{Path: "/max_length", Message: "want 0 or more"})
	}
	return problems
}

// Capabilities implements sdk.Channel.
func (Channel) Capabilities(_ context.Context, doc json.RawMessage) (sdk.Capabilities, error) {
	w, problems := parse(doc)
	if len(problems) > 0 {
		return sdk.Capabilities{}, fmt.Errorf("%w: with%s: %s", sdk.ErrInvalid, problems[0].Path, problems[0].Message)
	}
	return sdk.Capabilities{Address: w.Address, Acknowledges: len(w.Acknowledges) > 0, MaxLength: w.MaxLength}, nil
}

func parse(doc json.RawMessage) (with, []sdk.Problem) {
	w := with{Address: sdk.AddressNone}
	problems := sdk.DecodeWith(doc, &w)
	return w, problems
}

// Send implements sdk.Channel.
func (Channel) Send(ctx context.Context, n sdk.Notification) (sdk.Receipt, error) {
	w, problems := parse(n.With)
	to := n.Receiver.Address
	switch {
	case ctx.Err() != nil:
		return sdk.Receipt{}, ctx.Err()
	case len(problems) > 0:
		return sdk.Receipt{Message: problems[0].Message}, nil
	case to == "" && w.Address != sdk.AddressNone:
		return sdk.Receipt{Message: "the receiver has no address"}, nil
	case slices.Contains(w.Refuse, to):
		return sdk.Receipt{Message: to + " is refused"}, nil
	case slices.Contains(w.Busy, to):
		return sdk.Receipt{Unanswered: true, Message: to + " does not answer"}, nil
	}
	if w.Down != "" {
		why, err := os.ReadFile(w.Down)
		if err == nil {
			return sdk.Receipt{Retryable: true, Message: strings.TrimSpace("the channel is down " + string(why))}, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return sdk.Receipt{}, err
		}
	}
	n.With = nil
	line, err := json.Marshal(n)
	if err != nil {
		return sdk.Receipt{}, err
	}
	f, err := os.OpenFile(w.Path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return sdk.Receipt{Retryable: true, Message: err.Error()}, nil
	}
	_, err = f.Write(append(line, '\n')) // one write: concurrent ones do not mix
	if err = errors.Join(err, f.Close()); err != nil {
		return sdk.Receipt{}, err
	}
	return sdk.Receipt{Delivered: true, Acknowledged: slices.Contains(w.Acknowledges, to), ID: n.Key}, nil
}

// Read returns what an inbox holds, in the order of arrival; nothing when it does not exist.
func Read(path string) ([]sdk.Notification, error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var list []sdk.Notification
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var n sdk.Notification
		if err := json.Unmarshal(lines.Bytes(), &n); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, n)
	}
	return list, lines.Err()
}
