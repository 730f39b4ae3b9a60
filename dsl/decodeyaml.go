package dsl

import (
	"fmt"

	"github.com/goccy/go-yaml"
)

// DecodeYAML reads one YAML document into v, for small files that are not flows. Unknown fields of structs are errors. The limits of flows'
// files hold: what grows when its aliases are expanded is refused before it does.
func DecodeYAML(data []byte, v any) error {
	text, problem := normalize(data)
	var docs []*node
	if problem == nil {
		docs, problem = parseYAML(text)
	}
	if problem != nil {
		return fmt.Errorf("read YAML: %w", problem)
	}
	if len(docs) > 1 {
		return fmt.Errorf("read YAML: line %d begins a second document, and one is read", docs[1].line)
	}
	if err := yaml.UnmarshalWithOptions([]byte(text), v, yaml.Strict()); err != nil {
		return fmt.Errorf("read YAML: %w", err)
	}
	return nil
}
