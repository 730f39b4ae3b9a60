package diag_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"flowctl/dsl/diag"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample holds one of each kind: with everything, without a place, and with what needs escaping.
func sample() []diag.Diagnostic {
	return []diag.Diagnostic{
		{
			File: "a b/100%,x.yaml", Line: 3, Col: 5, Rule: diag.Duplicate, Message: "\"run\" is given twice: <50%>,\nno", Hint: "keep one of them",
			Path: "tasks.a.run", Source: "    run: \x1b[31m<x>", Related: &diag.Related{File: "a b/100%,x.yaml", Line: 2, Col: 5, Message: "first given here"},
		},
		{File: "a b/100%,x.yaml", Line: 7, Col: 1, Severity: diag.Warning, Rule: diag.SecretInPlainText, Message: "a password"},
		{File: "flowctl.yaml", Rule: diag.Missing, Message: "the flows root has no flowctl.yaml"},
		{File: "x:y.yaml", Line: 1, Col: 1, Severity: diag.Warning, Rule: diag.Unused, Message: "日本 is not used"},
	}
}

func inFlows(file string) string { return "flows/" + file }

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestWriteGitHub(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := diag.WriteGitHub(&b, sample(), inFlows); err != nil {
		t.Fatal(err)
	}
	golden(t, "github.txt", b.Bytes())
	if lines := bytes.Count(b.Bytes(), []byte("\n")); lines != len(sample()) {
		t.Errorf("%d commands on %d lines", len(sample()), lines)
	}
}

func TestWriteSARIFFollowsTheSchema(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("sarif.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	absolute := func(file string) string { return "/srv/" + file }
	plain := func(file string) string { return file }
	for _, c := range []struct {
		list []diag.Diagnostic
		name func(string) string
		file string
	}{{sample(), inFlows, "sarif.json"}, {sample(), absolute, ""}, {sample(), plain, ""}, {nil, plain, ""}} {
		var b bytes.Buffer
		if err := diag.WriteSARIF(&b, c.list, diag.SARIFOptions{Version: "1.2.3", Name: c.name}); err != nil {
			t.Fatal(err)
		}
		log, err := jsonschema.UnmarshalJSON(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(log); err != nil {
			t.Errorf("%v\n%s", err, b.Bytes())
		}
		if c.file != "" {
			golden(t, c.file, withoutRules(t, b.Bytes()))
		}
	}
}

// withoutRules drops the table of rules, which would repeat itself in the golden file, having seen that results point into it.
func withoutRules(t *testing.T, text []byte) []byte {
	t.Helper()
	var log struct {
		Runs []struct {
			Tool struct {
				Driver struct{ Rules []struct{ ID string } }
			}
			Results []struct {
				RuleID    string
				RuleIndex int
			}
		}
	}
	if err := json.Unmarshal(text, &log); err != nil {
		t.Fatal(err)
	}
	rules := log.Runs[0].Tool.Driver.Rules
	if len(rules) != len(diag.Rules()) {
		t.Errorf("%d rules, want %d", len(rules), len(diag.Rules()))
	}
	for _, r := range log.Runs[0].Results {
		if rules[r.RuleIndex].ID != r.RuleID {
			t.Errorf("%s points at the rule %s", r.RuleID, rules[r.RuleIndex].ID)
		}
	}
	before, rest, _ := bytes.Cut(text, []byte(`"rules": [`))
	_, after, _ := bytes.Cut(rest, []byte("\n          ]"))
	return slices.Concat(before, []byte(`"rules": [`), after)
}

func TestWriteJUnit(t *testing.T) {
	t.Parallel()
	files := []string{"good.yaml", "flowctl.yaml"}
	var b bytes.Buffer
	if err := diag.WriteJUnit(&b, files, sample(), false, inFlows); err != nil {
		t.Fatal(err)
	}
	golden(t, "junit.xml", b.Bytes())
	type report struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
	}
	for strict, want := range map[bool]report{false: {4, 2}, true: {4, 3}} {
		b.Reset()
		if err := diag.WriteJUnit(&b, files, sample(), strict, inFlows); err != nil {
			t.Fatal(err)
		}
		var got report
		if err := xml.Unmarshal(b.Bytes(), &got); err != nil || got != want {
			t.Errorf("strict %v: %+v, %v", strict, got, err)
		}
	}
}

func TestRulesAreATable(t *testing.T) {
	t.Parallel()
	list := diag.Rules()
	if !slices.IsSortedFunc(list, func(a, b diag.Rule) int { return strings.Compare(a.ID, b.ID) }) {
		t.Error("the rules are not sorted by id")
	}
	for i, r := range list {
		if i > 0 && list[i-1].ID == r.ID || r.ID == "" || !strings.HasSuffix(r.Summary, ".") || !strings.HasSuffix(r.Mend, ".") {
			t.Errorf("%+v", r)
		}
		if got, ok := diag.RuleOf(r.ID); !ok || got != r {
			t.Errorf("RuleOf(%s) is %+v", r.ID, got)
		}
	}
	if _, ok := diag.RuleOf("nothing"); ok {
		t.Error("a rule that does not exist was found")
	}
}
