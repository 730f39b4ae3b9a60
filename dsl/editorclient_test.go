package dsl_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// editor drives yaml-language-server, which most editors use, as an editor does: JSON-RPC on its stdin and stdout.
type editor struct {
	t        *testing.T
	in       io.Writer
	out      *bufio.Reader
	next     int
	schema   string // file:// URL
	problems map[string][]problem
}

// problem is a diagnostic of the language server.
type problem struct {
	Message string `json:"message"`
	Range   struct {
		Start struct {
			Line      int `json:"line"`
			Character int `json:"character"`
		} `json:"start"`
	} `json:"range"`
}

type message struct {
	ID     json.RawMessage `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
}

// openEditor starts a language server that checks all YAML by a schema.
func openEditor(t *testing.T, schema []byte) *editor {
	t.Helper()
	server, err := filepath.Abs("../bin/peers/node_modules/yaml-language-server/bin/yaml-language-server")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(server); err != nil {
		t.Skip("yaml-language-server is not installed: scripts/peers does it")
	}
	file := filepath.Join(t.TempDir(), "flowctl.schema.json")
	if err := os.WriteFile(file, schema, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", server, "--stdio")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	patience := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() }) // reads then end with an error
	t.Cleanup(func() {
		patience.Stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	e := &editor{t: t, in: in, out: bufio.NewReader(out), schema: "file://" + file, problems: map[string][]problem{}}
	e.call("initialize", map[string]any{
		"processId": nil, "rootUri": nil,
		"capabilities": map[string]any{
			"workspace": map[string]any{"configuration": true},
			"textDocument": map[string]any{
				"hover":      map[string]any{"contentFormat": []string{"markdown"}},
				"completion": map[string]any{"completionItem": map[string]any{"documentationFormat": []string{"markdown"}}},
			},
		},
	})
	e.notify("initialized", map[string]any{})
	e.notify("workspace/didChangeConfiguration", map[string]any{"settings": nil})
	return e
}

// settings answers what the server asks the editor's configuration for.
func (e *editor) settings(section string) any {
	if section != "yaml" {
		return nil
	}
	return map[string]any{
		"validate": true, "hover": true, "completion": true, "schemas": map[string]any{e.schema: "*.yaml"},
		"schemaStore": map[string]any{"enable": false},
	}
}

// open shows a document to the server and returns what it finds wrong with it.
func (e *editor) open(name, text string) []problem {
	e.t.Helper()
	uri := "file:///flows/" + name
	e.notify("textDocument/didOpen", map[string]any{
		"textDocument": map[string]any{"uri": uri, "languageId": "yaml", "version": 1, "text": text},
	})
	for {
		if found, ok := e.problems[uri]; ok {
			delete(e.problems, uri)
			return found
		}
		e.read()
	}
}

// complete returns the labels that the server offers at a place, which counts from 0, with their documentation.
func (e *editor) complete(name string, line, character int) map[string]string {
	e.t.Helper()
	var list struct {
		Items []struct {
			Label         string `json:"label"`
			Documentation any    `json:"documentation"`
		} `json:"items"`
	}
	e.at("textDocument/completion", name, line, character, &list)
	labels := make(map[string]string, len(list.Items))
	for _, item := range list.Items {
		labels[item.Label] = fmt.Sprint(item.Documentation)
	}
	return labels
}

// hover returns what the server shows at a place, which counts from 0.
func (e *editor) hover(name string, line, character int) string {
	e.t.Helper()
	var shown struct {
		Contents any `json:"contents"`
	}
	e.at("textDocument/hover", name, line, character, &shown)
	return fmt.Sprint(shown.Contents)
}

func (e *editor) at(method, name string, line, character int, into any) {
	e.t.Helper()
	result := e.call(method, map[string]any{
		"textDocument": map[string]any{"uri": "file:///flows/" + name},
		"position":     map[string]any{"line": line, "character": character},
	})
	if err := json.Unmarshal(result, into); err != nil {
		e.t.Fatalf("%s answered %s: %v", method, result, err)
	}
}

func (e *editor) call(method string, params any) json.RawMessage {
	e.t.Helper()
	e.next++
	id := json.RawMessage(strconv.Itoa(e.next))
	e.write(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params})
	for {
		m := e.read()
		if m.Method != "" || string(m.ID) != string(id) {
			continue
		}
		if m.Error != nil {
			e.t.Fatalf("%s: %s", method, m.Error)
		}
		return m.Result
	}
}

func (e *editor) notify(method string, params any) {
	e.t.Helper()
	e.write(map[string]any{"jsonrpc": "2.0", "method": method, "params": params})
}

func (e *editor) write(m any) {
	e.t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		e.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(e.in, "Content-Length: %d\r\n\r\n%s", len(b), b); err != nil {
		e.t.Fatalf("write to the language server: %v", err)
	}
}

// read takes one message, answers it if the server asks something, and returns it.
func (e *editor) read() message {
	e.t.Helper()
	size := 0
	for {
		line, err := e.out.ReadString('\n')
		if err != nil {
			e.t.Fatalf("read from the language server: %v", err)
		}
		line = strings.TrimSpace(line)
		if line == "" {
			break
		}
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if size, err = strconv.Atoi(v); err != nil {
				e.t.Fatal(err)
			}
		}
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(e.out, b); err != nil {
		e.t.Fatal(err)
	}
	var m message
	if err := json.Unmarshal(b, &m); err != nil {
		e.t.Fatal(err)
	}
	switch {
	case m.Method == "workspace/configuration":
		var p struct {
			Items []struct {
				Section string `json:"section"`
			} `json:"items"`
		}
		if err := json.Unmarshal(m.Params, &p); err != nil {
			e.t.Fatal(err)
		}
		answers := make([]any, len(p.Items))
		for i, item := range p.Items {
			answers[i] = e.settings(item.Section)
		}
		e.write(map[string]any{"jsonrpc": "2.0", "id": m.ID, "result": answers})
	case m.Method != "" && m.ID != nil:
		e.write(map[string]any{"jsonrpc": "2.0", "id": m.ID, "result": nil})
	case m.Method == "textDocument/publishDiagnostics":
		var p struct {
			URI         string    `json:"uri"`
			Diagnostics []problem `json:"diagnostics"`
		}
		if err := json.Unmarshal(m.Params, &p); err != nil {
			e.t.Fatal(err)
		}
		e.problems[p.URI] = p.Diagnostics
	}
	return m
}
