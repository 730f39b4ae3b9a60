package sdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// DecodeWith decodes a `with` document into a struct with JSON tags and reports what does not fit: unknown fields, wrong types.
// An empty document leaves the struct as it is, which is how defaults are set.
func DecodeWith(with json.RawMessage, into any) []Problem {
	if len(bytes.Trim(with, " \t\r\n")) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(with))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return []Problem{{Message: "want one JSON object"}}
		}
		return nil
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		path := ""
		if wrong.Field != "" {
			path = "/" + strings.ReplaceAll(wrong.Field, ".", "/")
		}
		return []Problem{{Path: path, Message: fmt.Sprintf("want a %s, not a %s", yamlName(wrong.Type.Kind().String()), yamlName(wrong.Value))}}
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok { // encoding/json has no type for it
		name := strings.Trim(field, `"`)
		return []Problem{{Path: "/" + name, Message: fmt.Sprintf("there is no setting %q", name)}}
	}
	return []Problem{{Message: strings.TrimPrefix(err.Error(), "json: ")}}
}

// yamlName says what an author of YAML calls a Go kind or a JSON value.
func yamlName(kind string) string {
	switch kind {
	case "struct", "map", "object":
		return "mapping"
	case "slice", "array":
		return "list"
	case "bool":
		return "boolean"
	case "string":
		return "string"
	}
	return "number"
}

// Argv turns arguments into words of a command line: a named one becomes --name and its value.
func Argv(args []Arg) []string {
	words := make([]string, 0, len(args))
	for _, a := range args {
		if a.Name != "" {
			words = append(words, "--"+a.Name)
		}
		words = append(words, a.Value)
	}
	return words
}

// Refuse returns the first problem of a `with` document as an error; nil when there is none.
func Refuse(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("with%s: %s", problems[0].Path, problems[0].Message)
}
