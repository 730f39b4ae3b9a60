package dsl

import (
	"fmt"

	"github.com/goccy/go-yaml"
)

// DecodeYAML reads one YAML document into v, for small files that are not flows. Unknown fields of structs are errors.
func DecodeYAML(data []byte, v any) error {
	if err := yaml.UnmarshalWithOptions(data, v, yaml.Strict()); err != nil {
		return fmt.Errorf("read YAML: %w", err)
	}
	return nil
}
