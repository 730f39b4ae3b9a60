package dsl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// LockedPlugin is what plugins.lock says of a plugin.
type LockedPlugin struct {
	flow.Plugin
	Schema json.RawMessage // JSON schema of its `with`; nil: anything goes
}

// ReadLock reads a plugins.lock; its plugins are sorted by name. The first thing that is wrong with it is the error.
func ReadLock(data []byte) ([]LockedPlugin, error) {
	u := readUnit(LockFile, data)
	for _, d := range diag.Sort(u.findings) {
		if isError(d) {
			return nil, fmt.Errorf("%s:%d:%d: %s", d.File, d.Line, d.Col, d.Message)
		}
	}
	if u.catalog == nil {
		return nil, nil
	}
	locked := make([]LockedPlugin, 0, len(u.catalog.plugins))
	for _, p := range u.catalog.plugins {
		l := LockedPlugin{Plugin: p.Plugin}
		if p.schema != nil {
			s, err := p.schema.text()
			if err == nil {
				_, err = compileSchema(s)
			}
			if err != nil {
				return nil, fmt.Errorf("%s:%d:%d: the schema of %s is no JSON schema: %s", p.Pos.File, p.Pos.Line, p.Pos.Col, p.Name, firstLine(err.Error()))
			}
			l.Schema = s
		}
		locked = append(locked, l)
	}
	slices.SortFunc(locked, func(a, b LockedPlugin) int { return strings.Compare(a.Name, b.Name) })
	return locked, nil
}

// lockHead tells who reads the file where it comes from.
const lockHead = "# Third-party plugins that the flows may use. Written by `flowctl plugin lock`.\n"

// WriteLock returns the text of a plugins.lock, the same for the same plugins in any order. What ReadLock refuses is an error.
func WriteLock(locked []LockedPlugin) ([]byte, error) {
	type entry struct {
		Kind    flow.PluginKind `json:"kind"`
		Version string          `json:"version"`
		SHA256  []string        `json:"sha256"`
		Schema  json.RawMessage `json:"schema,omitempty"`
	}
	plugins := make(map[string]entry, len(locked))
	for _, l := range locked {
		schema, err := sorted(l.Schema)
		if err != nil {
			return nil, fmt.Errorf("the schema of %s is no JSON: %w", l.Name, err)
		}
		plugins[l.Name] = entry{l.Kind, l.Version, slices.Sorted(slices.Values(l.SHA256)), schema}
	}
	text, err := EncodeYAML(struct {
		Version int              `json:"version"`
		Plugins map[string]entry `json:"plugins"`
	}{1, plugins})
	if err != nil {
		return nil, err
	}
	text = append([]byte(lockHead), text...)
	if _, err := ReadLock(text); err != nil {
		return nil, err
	}
	return text, nil
}

// sorted returns a JSON document with the names in each of its objects sorted.
func sorted(document json.RawMessage) (json.RawMessage, error) {
	if len(document) == 0 {
		return nil, nil
	}
	if !json.Valid(document) {
		return nil, errors.New("it is cut short, or goes on after its end")
	}
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// PluginUse is a place where a repository names a plugin.
type PluginUse struct {
	Kind flow.PluginKind
	Name string
	Pos  flow.Pos
}

// Unlocked returns the runners and channels that the flows root with these files names and that neither come with flowctl nor are in its
// plugins.lock, by kind and name, each with one place that names it. What else is wrong with the files does not matter.
func Unlocked(files []File) []PluginUse {
	r := &compilation{c: New(), files: files}
	for _, s := range stages() {
		s.do(r)
		if s.name == "build" {
			break
		}
	}
	var uses []PluginUse
	for _, f := range r.findings {
		if f.plugin != "" {
			uses = append(uses, PluginUse{f.plugin, f.unknown, flow.Pos{File: f.File, Line: f.Line, Col: f.Col}})
		}
	}
	slices.SortStableFunc(uses, func(a, b PluginUse) int { return strings.Compare(string(a.Kind)+"-"+a.Name, string(b.Kind)+"-"+b.Name) })
	return slices.CompactFunc(uses, func(a, b PluginUse) bool { return a.Kind == b.Kind && a.Name == b.Name })
}
