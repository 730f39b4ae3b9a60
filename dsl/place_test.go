package dsl_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"flowctl/dsl"
	"flowctl/dsl/diag"
)

// TestPlacesInsideScalars writes the name NOPE, which nothing defines, into expressions in every style of scalar: it must be found exactly where
// it stands, whatever the line ends are.
func TestPlacesInsideScalars(t *testing.T) {
	t.Parallel()
	const head = "flow: f\nteam: data\nowner: alice\ntasks:\n  t:\n"
	const run = "    run: x\n"
	for name, task := range map[string]string{
		"plain":                   "    run: echo ${{ NOPE }}\n",
		"plain over lines":        "    run: echo a\n      b ${{ NOPE }} c\n\n      ${{ NOPE }}\n",
		"single":                  "    run: 'it''s ${{ NOPE }} and ''${{ NOPE }}'''\n",
		"double":                  "    run: \"\\t\\u65e5 \\\"${{ NOPE }}\\\" \\x41\\\n      ${{ NOPE }}\"\n",
		"double over lines":       "    run: \"a\n\n      b ${{ NOPE }}\n      ${{ NOPE }}\"\n",
		"literal":                 "    run: |\n      a\n        b ${{ NOPE }}\n\n      ${{ NOPE }}${{ NOPE }}\n",
		"literal, stripped":       "    run: |-\n\n      ${{ NOPE }}\n",
		"literal, kept":           "    run: |+\n      ${{ NOPE }}\n\n",
		"literal, indented":       "    run: |2\n          a ${{ NOPE }}\n",
		"literal with tabs":       "    run: |\n      a\n      \tb\t${{ NOPE }}\n",
		"literal with comment":    "    run: | # a ${{ comment }}\n      # ${{ NOPE }}\n      b # ${{ NOPE }}\n",
		"literal of many bytes":   "    run: |\n      日本語 ${{ NOPE }} 😀 ${{ NOPE }}\n      é ${{ NOPE }}\n",
		"folded":                  "    run: >\n      a\n      ${{ NOPE }}\n\n      b ${{ NOPE }}\n        c\n      d ${{ NOPE }}\n",
		"folded, stripped":        "    run: >-\n      日 a ${{ NOPE }}\n      b ${{ NOPE }}",
		"an expression on lines":  "    run: |\n      a ${{\n        NOPE }}\n      b\n",
		"within an expression":    "    run: |\n      a ${{ ds == 'x' ? ds : '日' + NOPE }}\n",
		"when":                    run + "    when: run.version == 1 && NOPE\n",
		"when, folded":            run + "    when: >\n      run.version == 1\n      && NOPE\n",
		"quotes within quotes":    "    run: 'a ${{ ''x'' + NOPE }}'\n",
		"escapes within quotes":   "    run: \"a ${{ \\\"x\\\" + '\\u65e5' + NOPE }}\"\n",
		"lines of an expression":  "    run: |\n      a ${{ ds +\n          '日' +\n        NOPE }}\n",
		"lines, folded":           "    run: >-\n      a ${{ ds +\n      '日' + NOPE }}\n",
		"when, on lines":          run + "    when: run.version == 1 &&\n      NOPE\n",
		"env":                     run + "    env:\n      A: \"日 ${{ NOPE }}\"\n      B: >-\n        a\n        ${{ NOPE }}\n",
		"args":                    run + "    args: [a, 日, \"b ${{ NOPE }}\", c]\n",
		"args without quotes":     run + "    args: [日, /data/${{ NOPE }}/x, ${{ NOPE }}]\n",
		"paths":                   run + "    inputs:\n      - /data/${{ NOPE }}/\n    outputs: [\"/日/${{ NOPE }}\"]\n",
		"with":                    run + "    with: {shell: \"日 ${{ NOPE }}\"}\n",
		"with, block":             run + "    with:\n      shell: |\n        a\n        日 ${{ NOPE }}\n",
		"with, an unknown key":    run + "    with:\n      # 日\n      NOPE: x\n",
		"a key of many bytes":     run + "    env: {\"A日\": x, NOPE日: y}\n",
		"after a byte order mark": "    run: ${{ NOPE }}\n",
	} {
		for ends, end := range map[string]string{"LF": "\n", "CRLF": "\r\n", "CR": "\r"} {
			t.Run(name+" "+ends, func(t *testing.T) {
				t.Parallel()
				text := strings.ReplaceAll(head+task, "\n", end)
				if strings.Contains(name, "mark") {
					text = "\ufeff" + text
				}
				files := repository("f.yaml", text)
				_, found := dsl.New().Compile(files)
				checkPlaces(t, files, found)
				var got []string
				for _, d := range found {
					if d.Rule == diag.BadName && !strings.Contains(d.Message, "NOPE") {
						continue // A日
					}
					got = append(got, fmt.Sprintf("%d:%d", d.Line, d.Col))
				}
				if want := placesOf(head+task, "NOPE"); !slices.Equal(got, want) {
					t.Errorf("found at %v, want %v: %+v", got, want, found)
				}
			})
		}
	}
}

// placesOf returns line:col of each occurrence of a word.
func placesOf(text, word string) (places []string) {
	for i, line := range strings.Split(text, "\n") {
		for from := 0; ; {
			at := strings.Index(line[from:], word)
			if at < 0 {
				break
			}
			from += at
			places = append(places, fmt.Sprintf("%d:%d", i+1, utf8.RuneCountInString(line[:from])+1))
			from += len(word)
		}
	}
	return places
}

// TestSilencesAreComments puts the comment where it is one and where it is not.
func TestSilencesAreComments(t *testing.T) {
	t.Parallel()
	const c = "# flowctl:ignore secret-in-plain-text"
	const head = "flow: f\nteam: data\nowner: alice\ntasks:\n  t:\n    run: x\n"
	for name, s := range map[string]struct {
		task string
		want []string
	}{
		"at the end":             {"    env: {TOKEN: x} " + c + "\n", nil},
		"CRLF":                   {"    env: {TOKEN: x} " + c + "\r\n    timeout: 1h\r\n", nil},
		"above":                  {"    " + c + "\n    env: {TOKEN: x}\n", nil},
		"above, further":         {"    " + c + "\n\n    # and\n    env: {TOKEN: x}\n", nil},
		"above, dash":            {"    args:\n      - " + c + "\n        --token=x\n", []string{diag.UnusedIgnore, diag.SecretInPlainText}},
		"behind the bar":         {"    env:\n      TOKEN: | " + c + "\n        x\n", nil},
		"behind masked":          {"    inputs: [/d/${{ ds }}]\n    env: {TOKEN: x, A: ${{ ds }}} " + c + "\n", nil},
		"in a list over lines":   {"    args: [a, " + c + "\n      b, --token=x, " + c + "\n      d]\n", []string{diag.UnusedIgnore}},
		"of an alias":            {"    args: [&a --token=x, *a] " + c + "\n", nil},
		"in a block":             {"    env:\n      TOKEN: |\n        x " + c + "\n", []string{diag.SecretInPlainText}},
		"in a folded block":      {"    env:\n      TOKEN: >-\n        x\n        " + c + "\n", []string{diag.SecretInPlainText}},
		"in quotes":              {"    env: {TOKEN: \"x " + c + "\"}\n", []string{diag.SecretInPlainText}},
		"in a word":              {"    env: {TOKEN: x" + c + "}\n", []string{diag.SecretInPlainText}},
		"with something before":  {"    env: {TOKEN: x} # see " + c + "\n", []string{diag.SecretInPlainText}},
		"on another line":        {"    env: {TOKEN: x}\n    timeout: 1h " + c + "\n", []string{diag.SecretInPlainText, diag.UnusedIgnore}},
		"not beside an error":    {"    env: {TOKEN: x} # flowctl:ignore timers\n    timeout: 1\n", []string{diag.SecretInPlainText, diag.BadDuration}},
		"unknown beside errors":  {"    env: {A: x} # flowctl:ignore nothing\n    timeout: 1\n", []string{diag.UnusedIgnore, diag.BadDuration}},
		"at the end of the file": {"    env: {TOKEN: x}\n" + c, []string{diag.SecretInPlainText, diag.UnusedIgnore}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := rules("f.yaml", head+s.task); !slices.Equal(got, s.want) {
				t.Errorf("found %q, want %q", got, s.want)
			}
		})
	}
}

// TestSecretsAreNotShown writes what is found in the case of secrets in all formats.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	_, found := dsl.New().Compile(readRepository(t, "../testdata/diag/secrets"))
	if len(found) == 0 {
		t.Fatal("nothing was found")
	}
	plain := func(file string) string { return file }
	var b bytes.Buffer
	for _, err := range []error{
		diag.WriteText(&b, found, diag.TextOptions{}), diag.WriteJSON(&b, found), diag.WriteGitHub(&b, found, plain),
		diag.WriteSARIF(&b, found, diag.SARIFOptions{Name: plain}), diag.WriteJUnit(&b, nil, found, true, plain),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, secret := range []string{"hunter2", "AKIA", "BEGIN", "MII"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("the output holds %s", secret)
		}
	}
}

// TestWarningsStay compiles again what did not change: warnings do not need a flow to be built anew, and another year changes those of
// the clocks alone.
func TestWarningsStay(t *testing.T) {
	t.Parallel()
	files := repository("f.yaml", "flow: f\nteam: data\nowner: alice\nparams: {a: b}\nschedule: {every: day, at: \"02:30\", timezone: Europe/Berlin}\ntasks: {t: {run: x}}\n")
	c := &dsl.Compiler{Year: 2026}
	first, found := c.Compile(files)
	again, same := c.Compile(files)
	if !slices.Equal(rulesOf(found), []string{diag.Unused, diag.DST}) || !slices.Equal(rulesOf(same), rulesOf(found)) {
		t.Errorf("found %v, then %v", rulesOf(found), rulesOf(same))
	}
	if first.Flow("f") != again.Flow("f") {
		t.Error("a flow with warnings was built again")
	}
	c.Year = 2027
	_, later := c.Compile(files)
	if len(later) != 2 || later[0] != found[0] || later[1].Message == found[1].Message {
		t.Errorf("another year finds %+v", later)
	}
}
