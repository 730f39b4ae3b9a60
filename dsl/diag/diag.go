package diag

// Severity says whether a finding fails validation.
type Severity uint8

// The severities. Warnings alone do not fail, unless --strict.
const (
	Error Severity = iota
	Warning
)

// Diagnostic is one problem of a flows repository. It is a value, not an error: a compile returns all of them.
type Diagnostic struct {
	File     string   `json:"file"` // slash-separated, relative to the flows root
	Line     int      `json:"line"` // from 1; 0 = the whole file
	Col      int      `json:"col"`  // from 1, in characters
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"`              // id of a Rule, e.g. unknown-task
	Message  string   `json:"message"`           // one line, lower case
	Hint     string   `json:"hint,omitempty"`    // what to do about it
	Path     string   `json:"path,omitempty"`    // field path, e.g. tasks.load.retry.limit
	Source   string   `json:"source,omitempty"`  // the line, unless it is empty, very long or holds a secret
	Related  *Related `json:"related,omitempty"` // e.g. where the name was first defined
}

// Related is a second place that helps to understand a diagnostic.
type Related struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Message string `json:"message"`
}
