package dsl

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"flowctl/dsl/flow"
)

// EditorSchema returns a JSON schema (draft-07, which yaml-language-server reads) of every document of a flows repository, for
// completion, documentation and marking of unknown fields while somebody types. What it accepts is not all right: names and expressions
// are the compiler's to check.
func EditorSchema() ([]byte, error) {
	definitions := map[string]any{}
	for _, m := range mappings() {
		definitions[definition(m.id)] = m.schema()
	}
	var documents []any
	for _, id := range []string{"flow", "catalog", "test", "flowctl.yaml"} {
		documents = append(documents, map[string]any{"$ref": "#/definitions/" + definition(id)})
	}
	b, err := json.MarshalIndent(map[string]any{
		"$schema":     "http://json-schema.org/draft-07/schema#",
		"title":       "flowctl",
		"description": "A document of a flows repository.",
		"anyOf":       documents,
		"definitions": definitions,
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	return append(b, '\n'), nil
}

// schema describes the mapping.
func (m *mapping) schema() map[string]any {
	properties := map[string]any{}
	for _, f := range m.fields {
		property := maps.Clone(f.takes.schema)
		property["description"] = f.text() // editors show it beside a $ref too, before what it refers to
		properties[f.name] = property
	}
	out := map[string]any{
		"type": "object", "description": m.about, "properties": properties, "additionalProperties": false,
	}
	if len(m.need) > 0 {
		out["required"] = m.need
	}
	return out
}

// text is what an editor shows of a field.
func (f *fieldAbout) text() string {
	s := f.about
	if f.def != "" {
		s += ". Default: " + f.def
	}
	return s
}

// FieldReference returns docs/reference/dsl.md: every mapping of the language with its fields.
func FieldReference() []byte {
	var b strings.Builder
	b.WriteString("# The fields of the language\n\nWritten by a test from what `flowctl schema` says to editors. " +
		"[The language](../dsl.md) explains them with examples.\n")
	for _, m := range mappings() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| field | takes | meaning | default |\n|---|---|---|---|\n", m.id, m.about)
		for _, f := range m.fields {
			def := f.def
			if slices.Contains(m.need, f.name) {
				def = "required"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, f.takes.words, f.about, def)
		}
	}
	return []byte(b.String())
}

// eventNames are the events that a flow's rules may name.
func eventNames() []string {
	var names []string
	for _, e := range flow.Events() {
		if e.Subject == flow.OfTask || e.Subject == flow.OfFlow {
			names = append(names, string(e.Event))
		}
	}
	return names
}
