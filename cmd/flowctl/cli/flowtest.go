package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flowctl/dsl/flow"
	"flowctl/engine/simulate"
)

func newTest(g *globals) *cobra.Command {
	var only, output string
	cmd := &cobra.Command{
		Use:   "test [PATH]",
		Short: "Run the tests that a flows repository holds",
		Long: `Runs the documents of a flows repository that begin with test: each is a simulation with what is expected of it, such as that a run waits
for its inputs, retries, or starts at a certain time. Nothing of the flows is executed, and neither a server nor an agent is needed.

docs/simulation.md tells how to write them.

Exit status: 0 when all tests pass, 1 when one fails or the repository has errors.`,
		Example: `  flowctl test
  flowctl test flows --run hours
  flowctl test -o junit > report.xml`,
		Args: argsAs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains([]string{"text", "json", "junit"}, output) {
				return usagef("-o %s: the forms are text, json and junit", output)
			}
			chosen, err := regexp.Compile(only)
			if err != nil {
				return usagef("--run: %w", err)
			}
			return runTests(cmd.Context(), g, args, chosen, output)
		},
	}
	f := cmd.Flags()
	f.StringVar(&only, "run", "", "only the tests whose names match this regular expression")
	f.StringVarP(&output, "output", "o", "text", "form of the result: text, json or junit")
	return cmd
}

func runTests(ctx context.Context, g *globals, args []string, chosen *regexp.Regexp, output string) error {
	repo, err := compileRoot(g.streams, pathOf(args))
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(repo.project.Timezone)
	if err != nil {
		return &exitError{exitUnavailable, err}
	}
	verdicts := []*simulate.Verdict{}
	failed := 0
	for _, t := range repo.project.Tests {
		if !chosen.MatchString(t.Name) {
			continue
		}
		v, err := simulate.Check(ctx, repo.project, t)
		if err != nil {
			return err
		}
		if !v.Passed() {
			failed++
		}
		verdicts = append(verdicts, v)
	}
	if len(verdicts) == 0 && len(repo.project.Tests) > 0 {
		return usagef("--run %s: none of the %s is named so", chosen, count(len(repo.project.Tests), "test"))
	}
	name := namer(repo.root)
	for _, v := range verdicts {
		place(v, name)
	}
	var text []byte
	switch output {
	case "json":
		text, err = verdictsJSON(verdicts)
	case "junit":
		text, err = verdictsJUnit(verdicts, failed, zone)
	default:
		v := &view{zone: zone, color: g.color, width: g.width}
		verdictsView(v, verdicts, failed)
		text = []byte(v.String())
	}
	if err == nil {
		_, err = g.out.Write(text)
	}
	switch {
	case err != nil:
		return &exitError{exitUnavailable, fmt.Errorf("write the verdicts: %w", err)}
	case failed > 0:
		return &exitError{code: exitProblems}
	}
	return nil
}

// place names files as they are called from the current folder.
func place(v *simulate.Verdict, name func(string) string) {
	v.Pos.File = name(v.Pos.File)
	for i := range v.Mismatches {
		v.Mismatches[i].Pos.File = name(v.Mismatches[i].Pos.File)
	}
}

func posText(p flow.Pos) string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }

func verdictsView(v *view, verdicts []*simulate.Verdict, failed int) {
	checks := 0
	for _, t := range verdicts {
		checks += t.Checks
		if t.Passed() {
			v.WriteString(v.paint("succeeded", "ok") + "    ")
			v.line("%s", t.Test)
			continue
		}
		v.WriteString(v.paint("failed", "FAIL") + "  ")
		v.line("%s (%s)", t.Test, posText(t.Pos))
		for i := range t.Mismatches {
			mismatchView(v, &t.Mismatches[i])
		}
	}
	switch {
	case len(verdicts) == 0:
		v.line("the repository has no tests")
	case failed == 0:
		v.line("%s passed, with %s", count(len(verdicts), "test"), count(checks, "check"))
	default:
		v.line("%d of %s failed", failed, count(len(verdicts), "test"))
	}
}

// mismatchView shows what was expected and what came of it, one below the other, so that they are easily compared.
func mismatchView(v *view, m *simulate.Mismatch) {
	v.line("  %s: %s at %s", posText(m.Pos), m.Subject, v.at(m.At))
	field := string(m.Field)
	if field == "" {
		field = "action"
	}
	v.line("    %-9s want  %s", field+":", m.Want)
	v.WriteString("    " + strings.Repeat(" ", 9) + " got   " + v.paint("failed", clean(m.Got)) + "\n")
	for _, why := range m.Why {
		v.line("    %9s       %s", "", why)
	}
}

func verdictsJSON(verdicts []*simulate.Verdict) ([]byte, error) {
	type item struct {
		*simulate.Verdict
		Passed bool `json:"passed"`
	}
	items := make([]item, len(verdicts))
	for i, v := range verdicts {
		items[i] = item{v, v.Passed()}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(map[string]any{"items": items})
	return b.Bytes(), err
}

// The elements of a JUnit report that CI systems read.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func verdictsJUnit(verdicts []*simulate.Verdict, failed int, zone *time.Location) ([]byte, error) {
	suite := junitSuite{Name: "flowctl test", Tests: len(verdicts), Failures: failed}
	for _, t := range verdicts {
		c := junitCase{Class: t.Pos.File, Name: t.Test, File: t.Pos.File, Line: t.Pos.Line}
		if !t.Passed() {
			v := &view{zone: zone}
			for i := range t.Mismatches {
				mismatchView(v, &t.Mismatches[i])
			}
			c.Failure = &junitFailure{Message: count(len(t.Mismatches), "failed check"), Text: v.String()}
		}
		suite.Cases = append(suite.Cases, c)
	}
	text, err := xml.MarshalIndent(suite, "", "  ")
	return append([]byte(xml.Header), append(text, '\n')...), err
}
