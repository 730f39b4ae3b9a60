package diag

import (
	"encoding/json"
	"io"
)

// WriteJSON writes {"items": […]}, one object for each diagnostic.
func WriteJSON(w io.Writer, list []Diagnostic) error {
	if list == nil {
		list = []Diagnostic{}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Items []Diagnostic `json:"items"`
	}{list})
}
