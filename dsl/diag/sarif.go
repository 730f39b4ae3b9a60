package diag

import (
	"encoding/json"
	"io"
	"net/url"
	"path"
)

const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// sourceRoot is the base of all paths: the folder in which flowctl was run, for a pipeline the root of the repository.
const sourceRoot = "%SRCROOT%"

// The parts of SARIF 2.1.0 that are used here.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		ColumnKind string                 `json:"columnKind"`
		Bases      map[string]sarifFolder `json:"originalUriBaseIds"`
		Results    []sarifResult          `json:"results"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    string       `json:"id"`
		Short sarifMessage `json:"shortDescription"`
		Help  sarifMessage `json:"help"`
		Level struct {
			Level string `json:"level"`
		} `json:"defaultConfiguration"`
	}
	sarifMessage struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifFolder struct {
		Description sarifMessage `json:"description"`
	}
	sarifResult struct {
		Rule      string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations"`
		Related   []sarifLocation `json:"relatedLocations,omitempty"`
	}
	sarifLocation struct {
		ID       int           `json:"id,omitempty"`
		Physical sarifPhysical `json:"physicalLocation"`
		Message  *sarifMessage `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI  string `json:"uri"`
		Base string `json:"uriBaseId,omitempty"`
	}
	sarifRegion struct {
		Line int `json:"startLine"`
		Col  int `json:"startColumn,omitempty"`
	}
)

// SARIFOptions say what WriteSARIF cannot know.
type SARIFOptions struct {
	Version string                   // of flowctl
	Name    func(file string) string // how a file is called from the root of the repository; absolute when it lies elsewhere
}

// WriteSARIF writes a log in the static analysis results interchange format, version 2.1.0, which code hosts and editors read.
func WriteSARIF(w io.Writer, list []Diagnostic, o SARIFOptions) error {
	run := sarifRun{
		ColumnKind: "unicodeCodePoints",
		Bases:      map[string]sarifFolder{sourceRoot: {sarifMessage{Text: "The folder in which flowctl was run."}}},
		Results:    make([]sarifResult, 0, len(list)),
	}
	run.Tool.Driver = sarifDriver{Name: "flowctl", Version: o.Version}
	index := make(map[string]int)
	for _, r := range Rules() {
		index[r.ID] = len(run.Tool.Driver.Rules)
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(r))
	}
	for i := range list {
		run.Results = append(run.Results, o.result(&list[i], index))
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(sarifLog{sarifSchema, "2.1.0", []sarifRun{run}})
}

func sarifRuleOf(r Rule) sarifRule {
	out := sarifRule{
		ID:    r.ID,
		Short: sarifMessage{Text: r.Summary},
		Help:  sarifMessage{Text: r.Summary + " " + r.Mend, Markdown: "**" + r.ID + "**: " + r.Summary + "\n\n" + r.Mend},
	}
	out.Level.Level = r.Severity.String()
	return out
}

func (o *SARIFOptions) result(d *Diagnostic, index map[string]int) sarifResult {
	text := clean(d.Message)
	if d.Hint != "" {
		text += "\n" + clean(d.Hint)
	}
	result := sarifResult{
		Rule: d.Rule, RuleIndex: -1, Level: d.Severity.String(), Message: sarifMessage{Text: text},
		Locations: []sarifLocation{{Physical: o.physical(d.File, d.Line, d.Col)}},
	}
	if i, ok := index[d.Rule]; ok {
		result.RuleIndex = i
	}
	if r := d.Related; r != nil {
		result.Related = []sarifLocation{{ID: 1, Physical: o.physical(r.File, r.Line, r.Col), Message: &sarifMessage{Text: clean(r.Message)}}}
	}
	return result
}

func (o *SARIFOptions) physical(file string, line, col int) sarifPhysical {
	name := o.Name(file)
	at := sarifPhysical{Artifact: sarifArtifact{URI: (&url.URL{Path: name}).String(), Base: sourceRoot}}
	if path.IsAbs(name) {
		at.Artifact = sarifArtifact{URI: (&url.URL{Scheme: "file", Path: name}).String()}
	}
	if line > 0 {
		at.Region = &sarifRegion{Line: line, Col: max(col, 0)}
	}
	return at
}
