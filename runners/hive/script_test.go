package hive

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		want   []statement
	}{
		"nothing":               {" \n-- a comment; of its own\n/* another; */ ;;\n", nil},
		"one without an end":    {"select 1", []statement{{"select 1", 1}}},
		"two":                   {"\n\nuse a;\nselect\n 1 ;\n", []statement{{"use a", 3}, {"select\n 1", 4}}},
		"on one line":           {"use a; select 1;", []statement{{"use a", 1}, {"select 1", 1}}},
		"quotes":                {`select ';', ";", 'it\'s;', "\";", 'a''; b', '--', "/*";`, []statement{{`select ';', ";", 'it\'s;', "\";", 'a''; b', '--', "/*"`, 1}}},
		"quotes in each other":  {"select ';\";' , \"';'\"; select 2", []statement{{"select ';\";' , \"';'\"", 1}, {"select 2", 1}}},
		"a backslash at an end": {`select 'a\\'; select 2`, []statement{{`select 'a\\'`, 1}, {"select 2", 1}}},
		"backticks":             {"select `a;b`, `c\\`; select `d``;`", []statement{{"select `a;b`, `c\\`", 1}, {"select `d``;`", 1}}},
		"quotes over lines":     {"select 'a\n;b';\nselect 2", []statement{{"select 'a\n;b'", 1}, {"select 2", 3}}},
		"line comments":         {"-- it's; here\nselect 1 -- don't; here\n, 2;--x", []statement{{"select 1  \n, 2", 2}}},
		"comments":              {"/* it's;\n here */ select /* a;\n\n */ 1; select 2", []statement{{"select  \n\n 1", 2}, {"select 2", 4}}},
		"a slash before a star": {"select 4 /* */ / 2 */* */ 3", []statement{{"select 4   / 2 *  3", 1}}},
		"hints":                 {"/*+ no */ select /*+ MAPJOIN(a;b) */ 1;", []statement{{"select /*+ MAPJOIN(a;b) */ 1", 1}}},
		"an escaped semicolon":  {`select split(a, \;) ; set x=a\;b`, []statement{{"select split(a, ;)", 1}, {"set x=a;b", 1}}},
		"an escaped one first":  {`\;a`, []statement{{";a", 1}}},
		"other backslashes":     {`set x=\d\\;y`, []statement{{`set x=\d\;y`, 1}}},
		"a path in a command":   {"dfs -rm /tmp/*;\nADD\tJARS hdfs://n/*; -- x\nset p=/a/*; select 1 /* x */", []statement{{"dfs -rm /tmp/*", 1}, {"ADD\tJARS hdfs://n/*", 2}, {"set p=/a/*", 3}, {"select 1", 3}}},
		"a byte order mark":     {"\ufeffselect 1", []statement{{"select 1", 1}}},
		"carriage returns":      {"select 1;\r\n-- x\r\nselect\r\n2;\r\n", []statement{{"select 1", 1}, {"select\r\n2", 3}}},
		"other scripts":         {"select '数据；;' as `列`;", []statement{{"select '数据；;' as `列`", 1}}},
	} {
		got, err := split(c.script)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}

func TestSplitFindsWhatIsNotClosed(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"select 1;\nselect 'a;\n": "line 2: the quote ' that begins here is not closed",
		"select \"a\\\"":          "line 1: the quote \" that begins here is not closed",
		"select 1,\n\n`a;":        "line 3: the quote ` that begins here is not closed",
		"/* a\n;\nselect 1":       "line 1: the comment that begins here is not closed: write */ at its end",
		"select 1 /*/":            "line 1: the comment that begins here is not closed: write */ at its end",
	} {
		if got, err := split(script); fmt.Sprint(err) != want {
			t.Errorf("%q: got %+v, %v; want %s", script, got, err, want)
		}
	}
}

// Whatever a script holds: no statement is empty or out of order, and, where nothing is escaped, statements put together again are the same ones.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		"select 1;\n-- c\nselect ';' /*+ h */ , `a` /* c; */ ;", `set x=a\;b; dfs -ls /*; select "\";"`, "'", "/*", "-", "/", `\`, "\ufeff;", "-/**/-", "/-- \n*",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, script string) {
		found, err := split(script)
		if err != nil {
			return
		}
		texts, line := make([]string, len(found)), 1
		for i, s := range found {
			if s.Text == "" || s.Text != strings.Trim(s.Text, blanks) || s.Line < line || s.Line > 1+strings.Count(script, "\n") {
				t.Fatalf("statement %d of %q: %+v", i+1, script, s)
			}
			texts[i], line = s.Text, s.Line
		}
		if strings.Contains(script, `\`) {
			return
		}
		again, err := split("\n" + strings.Join(texts, "\n;\n"))
		if err != nil || !slices.EqualFunc(again, texts, func(s statement, text string) bool { return s.Text == text }) {
			t.Fatalf("%q gives %q, and these %+v (%v)", script, texts, again, err)
		}
	})
}
