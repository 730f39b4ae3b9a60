package diag

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
)

type junitSuites struct {
	XMLName  xml.Name   `xml:"testsuites"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Suite    junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	File    string        `xml:"file,attr"`
	Failure *junitFailure `xml:"failure"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitFailure struct {
	Type    string `xml:"type,attr"` // the rules
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes a test report with one case for each of the files, and for each other file that has diagnostics. A file with errors
// has failed; one with warnings alone has passed with an output, unless strict.
func WriteJUnit(w io.Writer, files []string, list []Diagnostic, strict bool, name func(file string) string) error {
	found := make(map[string][]Diagnostic)
	for _, d := range list {
		found[d.File] = append(found[d.File], d)
		files = append(files[:len(files):len(files)], d.File)
	}
	files = slices.Compact(slices.Sorted(slices.Values(files)))
	suite := junitSuite{Name: "validate", Tests: len(files)}
	for _, file := range files {
		c, err := junitCaseOf(found[file], strict, name)
		if err != nil {
			return err
		}
		c.Class, c.Name, c.File = "flowctl.validate", name(file), name(file)
		if c.Failure != nil {
			suite.Failures++
		}
		suite.Cases = append(suite.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(junitSuites{Name: "flowctl", Tests: suite.Tests, Failures: suite.Failures, Suite: suite}); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

func junitCaseOf(found []Diagnostic, strict bool, name func(file string) string) (c junitCase, err error) {
	if len(found) == 0 {
		return c, nil
	}
	var text strings.Builder
	if err := WriteText(&text, found, TextOptions{Name: name}); err != nil {
		return c, err
	}
	if !strict && !slices.ContainsFunc(found, func(d Diagnostic) bool { return d.Severity == Error }) {
		c.Out = text.String()
		return c, nil
	}
	rules := make([]string, 0, len(found))
	for _, d := range found {
		rules = append(rules, d.Rule)
	}
	c.Failure = &junitFailure{
		Type: strings.Join(slices.Compact(slices.Sorted(slices.Values(rules))), " "), Message: counts(found), Text: "\n" + text.String(),
	}
	return c, nil
}
