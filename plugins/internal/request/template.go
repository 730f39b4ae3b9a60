package request

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"flowctl/plugins/sdk"
)

// maxText bounds what a template writes, in bytes.
const maxText = 64 << 10

// Fields are what templates know of a notification.
type Fields struct {
	Key      string   `json:"key"`
	Severity string   `json:"severity"`
	Event    string   `json:"event"`
	Subject  string   `json:"subject"`
	Short    string   `json:"short"`
	Text     string   `json:"text"`
	At       string   `json:"at"` // RFC 3339, UTC
	To       string   `json:"to"` // the receiver's address
	Name     string   `json:"name"`
	Flow     string   `json:"flow"`
	Task     string   `json:"task"`
	Run      string   `json:"run"`
	Period   string   `json:"period"`
	Link     string   `json:"link"`
	AckURL   string   `json:"ack_url"`
	LogTail  string   `json:"log_tail"`
	Blockers []string `json:"blockers"`
}

// FieldsOf returns the fields of a notification.
func FieldsOf(n *sdk.Notification) *Fields {
	return &Fields{
		Key: n.Key, Severity: n.Severity, Event: n.Event, Subject: n.Subject, Short: n.Short, Text: n.Text, At: n.At.UTC().Format(time.RFC3339),
		To: n.Receiver.Address, Name: n.Receiver.Name, Flow: n.Flow, Task: n.Task, Run: n.Run, Period: n.Period, Link: n.Link, AckURL: n.AckURL,
		LogTail: n.LogTail, Blockers: append([]string{}, n.Blockers...),
	}
}

// functions are what templates can call, besides those of builtins.
func functions() template.FuncMap {
	return template.FuncMap{
		"join": strings.Join,
		"clip": func(text string, most int) string {
			if r := []rune(text); len(r) > most && most >= 0 {
				return string(r[:most])
			}
			return text
		},
		"json": func(v any) (string, error) {
			b, err := encode(v)
			return string(b), err
		},
	}
}

// builtins are those of text/template's functions that cannot write much more than they are given.
func builtins() []string { return []string{"eq", "ne", "and", "or", "not", "len", "html"} }

// fill executes a template.
func fill(text string, f *Fields) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	t, err := template.New("template").Funcs(functions()).Parse(text)
	if err != nil {
		return "", brief(err)
	}
	if len(t.Templates()) > 1 {
		return "", errors.New("a template cannot define others")
	}
	if t.Tree == nil {
		return "", nil
	}
	if err := allow(t.Root); err != nil {
		return "", err
	}
	w := &bounded{}
	if err := t.Execute(w, f); err != nil {
		return "", brief(err)
	}
	return w.String(), nil
}

// brief takes the name of the template out of an error.
func brief(err error) error {
	if errors.Is(err, errLong) {
		return errLong
	}
	return errors.New(strings.TrimPrefix(err.Error(), "template: "))
}

// allow refuses what may not end, and fields that do not exist.
func allow(n parse.Node) error {
	if n == nil || reflect.ValueOf(n).IsNil() {
		return nil
	}
	each := func(nodes ...parse.Node) error {
		for _, n := range nodes {
			if err := allow(n); err != nil {
				return err
			}
		}
		return nil
	}
	branch := func(b *parse.BranchNode) error { return each(b.Pipe, b.List, b.ElseList) }
	switch n := n.(type) {
	case *parse.ListNode:
		return each(n.Nodes...)
	case *parse.ActionNode:
		return allow(n.Pipe)
	case *parse.IfNode:
		return branch(&n.BranchNode)
	case *parse.WithNode:
		return branch(&n.BranchNode)
	case *parse.RangeNode:
		if n.Pipe.String() != ".Blockers" {
			return fmt.Errorf("range goes through .Blockers only, not %s", n.Pipe)
		}
		return branch(&n.BranchNode)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			if err := each(c.Args...); err != nil {
				return err
			}
		}
	case *parse.IdentifierNode:
		if _, own := functions()[n.Ident]; !own && !slices.Contains(builtins(), n.Ident) {
			return fmt.Errorf("there is no function %s", n.Ident)
		}
	case *parse.FieldNode:
		if _, known := reflect.TypeFor[Fields]().FieldByName(n.Ident[0]); !known {
			return fmt.Errorf("there is no field .%s", n.Ident[0])
		}
	case *parse.TextNode, *parse.CommentNode, *parse.DotNode, *parse.StringNode, *parse.NumberNode, *parse.BoolNode:
	default:
		return fmt.Errorf("%s is not allowed in a template", n)
	}
	return nil
}

var errLong = fmt.Errorf("the template writes more than %d bytes", maxText)

// bounded takes maxText bytes.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxText {
		return 0, errLong
	}
	return b.Buffer.Write(p)
}

// fillAll executes the templates within a value.
func fillAll(v any, f *Fields) (any, error) {
	switch v := v.(type) {
	case string:
		return fill(v, f)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			var err error
			if out[i], err = fillAll(x, f); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, x := range v {
			var err error
			if out[key], err = fillAll(x, f); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

func fillMap(m map[string]string, f *Fields) (map[string]string, error) {
	out := make(map[string]string, len(m))
	for key, text := range m {
		var err error
		if out[key], err = fill(text, f); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return out, nil
}

// encode writes JSON for people, who read < as such.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// escape writes a key of a path as RFC 6901 wants it.
func escape(key string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(key) }
