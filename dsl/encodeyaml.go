package dsl

import (
	"encoding/json"
	"fmt"

	"github.com/goccy/go-yaml"
)

// EncodeYAML writes the JSON form of v as YAML, two spaces a level, for views of data: same names, same order.
func EncodeYAML(v any) ([]byte, error) {
	form, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	out, err := yaml.JSONToYAML(form)
	if err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return out, nil
}
