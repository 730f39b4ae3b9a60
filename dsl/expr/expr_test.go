package expr

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

func linePos(offset int) flow.Pos { return flow.Pos{File: "f.yaml", Line: 1, Col: offset + 1} }

// expression is a template of one expression.
func expression(source string) *flow.Template {
	return &flow.Template{Parts: []flow.Part{{Expr: source, Pos: linePos(0)}}, Pos: linePos(0)}
}

func values(t testing.TB) *Values {
	t.Helper()
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 19, 13, 0, 0, 0, shanghai)
	return &Values{
		Flow:   Flow{Name: "warehouse.orders", Team: "data", Labels: map[string]string{"domain": "sales"}},
		Task:   Task{Name: "load"},
		Run:    RunValues{Kind: "scheduled", Version: 2, ScheduledAt: period.At(start.Add(time.Hour)), Revision: "abc"},
		Period: Period{Start: period.At(start), End: period.At(start.Add(time.Hour)), Label: "2026-11-19T13", Kind: "hour", Zone: shanghai},
		Params: map[string]string{"table": "o'rders", "n": "5", "twelve": "12"},
		Matrix: map[string]string{"region": "eu"},
		Env:    map[string]string{"LANG": "C"},
		Needs: map[string]Need{
			"extract":         {State: "succeeded", Outputs: map[string]string{"rows": "12", "ratio": "0.5", "id": "007", "ok": "true", "big": "12345678901234567890", "version": "1"}},
			"copy":            {ByKey: map[string]Need{"eu": {State: "failed", Outputs: map[string]string{"rows": "3"}}}},
			"ods.clicks/load": {State: "skipped"},
		},
		Quote: func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" },
	}
}

var allTypes = Types{Params: []string{"table", "n", "twelve"}, Matrix: []string{"region"}, Needs: []string{"extract", "copy", "ods.clicks/load"}}

func TestText(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`ds`:                                   "2026-11-19",
		`ds_nodash`:                            "20261119",
		`hour`:                                 "13",
		`flow.name`:                            "warehouse.orders",
		`flow.labels.domain`:                   "sales",
		`task.name`:                            "load",
		`run.kind + "#" + string(run.version)`: "scheduled#2",
		`run.scheduled_at`:                     "2026-11-19T14:00:00+08:00",
		`period.start`:                         "2026-11-19T13:00:00+08:00",
		`period.end - period.start`:            "1h0m0s",
		`period.label`:                         "2026-11-19T13",
		`params.table`:                         "o'rders",
		`quote(params.table)`:                  `'o'\''rders'`,
		`quote(run.version)`:                   "'2'",
		`matrix.region`:                        "eu",
		`env.LANG`:                             "C",
		`needs.copy.eu.state`:                  "failed",
		`needs.copy[matrix.region].outputs.rows + 1`:         "4",
		`needs.extract.state`:                                "succeeded",
		`needs['ods.clicks/load'].state`:                     "skipped",
		`needs.extract.outputs.rows`:                         "12",
		`needs.extract.outputs.rows * 2`:                     "24",
		`needs.extract.outputs.ratio`:                        "0.5",
		`upper(needs.extract.outputs.rows)`:                  "12",
		`needs.extract.outputs.rows + " rows"`:               "12 rows",
		`"n=" + needs.extract.outputs.rows`:                  "n=12",
		`string(needs.extract.outputs.ratio)`:                "0.5",
		`replace(needs.extract.outputs.rows, '1', '3')`:      "32",
		`needs.extract.outputs.id`:                           "007",
		`needs.extract.outputs.big`:                          "12345678901234567890",
		`1/4`:                                                "0.25",
		`1e20`:                                               "100000000000000000000",
		`date(period.start, '%Y%m%d-%H%M%S %j %V %a %z %%')`: "20261119-130000 323 47 Thu +0800 %",
		`date(shift(ds, '-1d'), '%F')`:                       "2026-11-18",
		`shift(period.start, '-1d2h')`:                       "2026-11-18T11:00:00+08:00",
		`shift(period.start, '1w30m5s')`:                     "2026-11-26T13:30:05+08:00",
		`upper(matrix.region)`:                               "EU",
		`replace(ds, '-', '/')`:                              "2026/11/19",
		`int(params.n) > 4 ? 'a' : 'b'`:                      "a",
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			var ps Programs
			if problems := ps.Check(expression(source), Dispatch, &allTypes); len(problems) > 0 {
				t.Fatal(problems)
			}
			if got, err := ps.Text(expression(source), Dispatch, values(t)); err != nil || got != want {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		})
	}
}

func TestShiftKeepsTheClock(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	v := &Values{Period: Period{Start: period.At(time.Date(2026, 3, 29, 0, 0, 0, 0, berlin)), Kind: "day", Zone: berlin}}
	var ps Programs
	for source, want := range map[string]string{
		`shift(period.start, '1d')`:  "2026-03-30T00:00:00+02:00",
		`shift(period.start, '24h')`: "2026-03-30T01:00:00+02:00",
	} {
		if got, err := ps.Text(expression(source), Creation, v); err != nil || got != want {
			t.Errorf("%s = %s, %v; want %s", source, got, err, want)
		}
	}
}

func TestBool(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]bool{
		`needs.extract.outputs.rows > 0`:                          true,
		`needs.extract.outputs.rows > 12`:                         false,
		`needs.extract.outputs.rows == '12'`:                      true,
		`'1' == needs.extract.outputs.version`:                    true,
		`needs.extract.outputs.version in ['1', '2']`:             true,
		`needs.extract.outputs.id startsWith '00'`:                true,
		`needs.extract.outputs.rows contains '2'`:                 true,
		`needs.extract.outputs.rows == params.twelve`:             true,
		`needs.extract.outputs.ok`:                                true,
		`needs.extract.outputs.ok == 'true'`:                      true,
		`needs['ods.clicks/load'].state == 'succeeded'`:           false,
		`run.kind == 'scheduled' and not (params.n matches '^a')`: true,
		`date(period.start, '%u') in ['6', '7']`:                  false,
		`period.start < period.end`:                               true,
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			var ps Programs
			if problems := ps.Check(expression(source), When, &allTypes); len(problems) > 0 {
				t.Fatal(problems)
			}
			if got, err := ps.Bool(expression(source), When, values(t)); err != nil || got != want {
				t.Errorf("got %t, %v; want %t", got, err, want)
			}
		})
	}
}

func TestCheckFindsProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		source  string
		scope   Scope
		rule    string
		message string
		col     int
	}{
		{`ds +`, Dispatch, BadExpression, "unexpected token", 0},
		{`dss`, Dispatch, BadExpression, "unknown name dss", 1},
		{`1 + flow.nam`, Dispatch, BadExpression, "unknown field nam", 0},
		{`params.tabel`, Dispatch, BadExpression, `no parameter "tabel"`, 0},
		{`params['tabel']`, Dispatch, BadExpression, `no parameter "tabel"`, 0},
		{`matrix.x`, Dispatch, BadExpression, `no matrix key "x"`, 0},
		{`needs.load.state`, Dispatch, BadExpression, `does not need "load"`, 0},
		{`params[ds]`, Dispatch, BadExpression, "must be followed by a name", 0},
		{`params`, Dispatch, BadExpression, "holds many values", 1},
		{`needs.extract`, Dispatch, BadExpression, "many values", 1},
		{`needs.extract.stat`, Dispatch, BadExpression, "many values", 1},
		{`needs.extract.stat == 'succeeded'`, When, BadExpression, "mismatched types", 0},
		{`needs.extract.eu.stat`, Dispatch, BadExpression, "unknown field stat", 0},
		{`needs.extract.outputs.rows`, Creation, BadExpression, "needs is not known yet", 1},
		{`ds + run.kind`, Creation, BadExpression, "run is not known yet", 6},
		{`quote(ds)`, Creation, BadExpression, "quote is not known yet", 1},
		{`params.table`, Run, UnquotedParam, "unquoted", 1},
		{`quote('a') + upper(params.table)`, Run, UnquotedParam, "unquoted", 20},
		{`secret('hive')`, Dispatch, BadExpression, "a secret may not stand here", 1},
		{`secret(params.x)`, Config, BadExpression, "must be known", 15},
		{`secret()`, Config, BadExpression, "not enough arguments", 0},
		{`ds`, Peer, BadExpression, "belong to no run", 1},
		{`ds`, When, BadExpression, "bool", 0},
		{`date(period.start, '%Q')`, Dispatch, BadExpression, "%Q", 20},
		{`shift(period.start, 'yesterday')`, Dispatch, BadExpression, "no shift", 0},
		{`date(period.start)`, Dispatch, BadExpression, "not enough arguments", 0},
		{`upper(5)`, Dispatch, BadExpression, "cannot use int", 0},
		{`ds > 5`, When, BadExpression, "mismatched types", 0},
		{`map(1..9, # * 2)`, Dispatch, BadExpression, "", 0},
		{`len(1..1000000000)`, Dispatch, BadExpression, "ranges are not", 0},
		{`let a = ds; a + a`, Dispatch, BadExpression, "variables", 0},
		{`period.start.Local()`, Dispatch, BadExpression, "methods are not", 0},
		{`$env.ds`, Dispatch, BadExpression, "$env", 0},
		{`repeat('a', 1000000)`, Dispatch, BadExpression, "repeat", 0},
		{`now()`, Dispatch, BadExpression, "now", 0},
		{strings.Repeat("1+", 2000) + "1", Dispatch, BadExpression, "node", 0},
		{strings.Repeat("(", 4000), Dispatch, BadExpression, "", 0},
		{strings.Repeat("1", 5000), Dispatch, BadExpression, "longer than", 0},
	} {
		t.Run(fmt.Sprintf("%.40s", tt.source), func(t *testing.T) {
			t.Parallel()
			problems := Check(expression(tt.source), tt.scope, &allTypes)
			if len(problems) == 0 {
				t.Fatal("no problem found")
			}
			p := problems[0]
			if p.Rule != tt.rule || !strings.Contains(p.Message, tt.message) || strings.Contains(p.Message, "\n") || tt.col > 0 && p.Pos.Col != tt.col {
				t.Errorf("got %+v", p)
			}
		})
	}
}

func TestQuotedParamsAreFine(t *testing.T) {
	t.Parallel()
	for _, source := range []string{`quote(params.table)`, `ds + quote(upper(params.table))`, `matrix.region`} {
		if problems := Check(expression(source), Run, &allTypes); len(problems) > 0 {
			t.Errorf("%s: %v", source, problems)
		}
	}
}

func TestEvalErrors(t *testing.T) {
	t.Parallel()
	noQuote := values(t)
	noQuote.Quote = nil
	for _, tt := range []struct {
		source, want string
		v            *Values
	}{
		{`needs.extract.outputs.missing`, "no value", values(t)},
		{`needs.extract.outputs.missing == 'x'`, "no value", values(t)},
		{`needs.extract.outputs.missing > 1`, "", values(t)},
		{`flow.labels.missing`, "no value", values(t)},
		{`needs.copy.state`, "no value", values(t)},
		{`needs.copy.us.state`, "", values(t)},
		{`string(needs.extract.outputs.missing)`, "no value", values(t)},
		{`1/0`, "not finite", values(t)},
		{`1 % 0`, "divide by zero", values(t)},
		{`int(params.table)`, "invalid", values(t)},
		{`date(params.table, '%Y')`, "is no time", values(t)},
		{`quote(ds)`, "not available", noQuote},
		{`env.X matches env.LANG`, "", values(t)},
		{`replace(replace(replace(replace(ds, '', ds + ds + ds + ds), '', ds + ds + ds + ds), '', ds + ds + ds + ds), '', ds + ds)`, "grows over", values(t)},
	} {
		t.Run(tt.source, func(t *testing.T) {
			t.Parallel()
			var ps Programs
			template := &flow.Template{Parts: []flow.Part{{Lit: "x "}, {Expr: tt.source, Pos: flow.Pos{File: "f.yaml", Line: 3, Col: 7}}}}
			got, err := ps.Text(template, Dispatch, tt.v)
			var failed *EvalError
			if tt.want == "" && err == nil && got == "x false" {
				return // a comparison with nothing may be false
			}
			if !errors.As(err, &failed) || failed.Pos.Line != 3 || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestParseTemplate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"plain", "plain"},
		{"a ${{ ds }} b", "a |{ds@7}| b"},
		{"${{ds}}${{ hour }}", "{ds@4}|{hour@12}"},
		{"x ${{ '}}' + ds }}", "x |{'}}' + ds@7}"},
		{`${{ "\"}}" }}`, `{"\"}}"@5}`},
		{"${{ {a: {b: 1}}['a'] }}", "{{a: {b: 1}}['a']@5}"},
		{"costs $${{ ds }} and $5", "costs ${{ ds }} and $5"},
		{"$x {{ y }}", "$x {{ y }}"},
	} {
		template, problems := ParseTemplate(tt.text, linePos)
		if len(problems) > 0 {
			t.Errorf("%q: %v", tt.text, problems)
		}
		var parts []string
		for _, p := range template.Parts {
			if p.Expr != "" {
				parts = append(parts, fmt.Sprintf("{%s@%d}", p.Expr, p.Pos.Col))
			} else {
				parts = append(parts, p.Lit)
			}
		}
		if got := strings.Join(parts, "|"); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
	for text, col := range map[string]int{"ab ${{ ds": 4, "${{ '}}": 1, "a${{  }}": 2} {
		if _, problems := ParseTemplate(text, linePos); len(problems) != 1 || problems[0].Rule != BadExpression || problems[0].Pos.Col != col {
			t.Errorf("%q: %v", text, problems)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	template, _ := ParseTemplate("${{ needs.b.state }} ${{ needs['f/a'].state + params.x + needs.b.state }}", linePos)
	var ps Programs
	if got := fmt.Sprint(ps.Names(template, Dispatch, "needs"), ps.Names(template, Dispatch, "params")); got != "[b f/a] [x]" {
		t.Error(got)
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	var ps Programs
	for i := range maxPrograms + 10 {
		ps.Check(expression(fmt.Sprintf("(%d", i)), Dispatch, nil)
	}
	if len(ps.known) > maxPrograms {
		t.Errorf("%d programs are kept", len(ps.known))
	}
}

func FuzzTemplate(f *testing.F) {
	for _, text := range []string{
		"a ${{ ds }} b", "${{ quote(params.table) }}", "${{ needs.extract.outputs.rows > 0 }}", "${{ '}}' }} $${{", "${{ {a: {b: 1}} }}",
		"${{ date(shift(period.start, '-1d'), '%Y%m%d') }}", "${{ filter(split(ds, ''), # > 1)[0] }}", "${{ let x = 1; x }}", "${{ ds | upper() }}",
		"${{ needs?.extract ?? ds }}", "${{ replace(ds, '', ds) matches '(a|b)*' }}", "${{ if true { ds } else { hour } }}", "${{ ds[1:2] }}", "${{ \v0}}",
	} {
		f.Add(text)
	}
	v := values(f)
	f.Fuzz(func(t *testing.T, text string) {
		template, problems := ParseTemplate(text, linePos)
		for _, p := range problems {
			if p.Pos.Col < 1 || p.Pos.Col > len(text)+1 {
				t.Fatalf("%q: a problem at %d", text, p.Pos.Col)
			}
		}
		if len(problems) > 0 {
			return
		}
		for _, p := range template.Parts {
			if p.Expr != "" && !strings.HasPrefix(text[p.Pos.Col-1:], p.Expr) || p.Expr == "" && !strings.Contains(strings.ReplaceAll(text, "$${{", "${{"), p.Lit) {
				t.Fatalf("%q has no part %+v", text, p)
			}
		}
		var ps Programs
		for _, scope := range []Scope{Creation, Dispatch, Run, When} {
			bad := len(ps.Check(template, scope, nil)) > 0
			if _, err := ps.Bool(template, scope, v); err == nil && bad {
				t.Fatal("a refused condition ran")
			}
			if _, err := ps.Text(template, scope, v); err == nil && bad && scope != When {
				t.Fatal("a refused template ran")
			}
		}
	})
}

// FuzzShift moves a time by anything, and back: elapsed time comes back to the same instant.
func FuzzShift(f *testing.F) {
	for _, by := range []string{"-1d", "2w", "1h30m", "1000000s", "1000001s", "-", "", "--1d", "1", "٣d", "1d-2h", "99999999999999999999d", "0s"} {
		f.Add(by)
	}
	t0 := time.Date(2026, 11, 19, 13, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, by string) {
		moved, err := shift(t0, by)
		if err != nil {
			if !moved.Equal(t0) || len(err.Error()) > 250 {
				t.Fatalf("%q moves by %v: %v", by, moved.Sub(t0), err)
			}
			return
		}
		if strings.HasPrefix(by, "-") == moved.After(t0) && !moved.Equal(t0) {
			t.Fatalf("%q moves to %v", by, moved)
		}
		back, err := shift(moved, strings.TrimPrefix("-"+by, "--"))
		if err != nil || !back.Equal(t0) {
			t.Fatalf("%q and back is %v (%v)", by, back, err)
		}
	})
}

// FuzzDate prints a time in any format: of bounded length, and a format without % as it stands.
func FuzzDate(f *testing.F) {
	for _, format := range []string{"%Y%m%d", "%F %T", "%%", "%", "%Q", "no directive", "%Y\x00", "日%d", "%\xff"} {
		f.Add(format)
	}
	t0 := time.Date(2026, 11, 9, 3, 4, 5, 6000, time.UTC)
	f.Fuzz(func(t *testing.T, format string) {
		text, err := strftime(t0, format)
		if err == nil && (len(text) > 10*len(format) || !strings.Contains(format, "%") && text != format) {
			t.Fatalf("%q prints %q", format, text)
		}
	})
}

func BenchmarkPrograms(b *testing.B) {
	v := values(b)
	template, _ := ParseTemplate("./load ${{ ds }} ${{ quote(params.table) }} ${{ date(period.start, '%Y') }}", linePos)
	b.Run("check anew", func(b *testing.B) {
		for b.Loop() {
			Check(template, Run, &allTypes)
		}
	})
	var ps Programs
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			ps.Check(template, Run, &allTypes)
		}
	})
	b.Run("text", func(b *testing.B) {
		for b.Loop() {
			if _, err := ps.Text(template, Run, v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	template := expression("'x' + (ds == hour ? secret('a') : \"\") + secret(\"b\")")
	ps := new(Programs)
	if problems := ps.Check(template, Config, nil); len(problems) > 0 {
		t.Fatal(problems)
	}
	uses := ps.Secrets(template, Config)
	if len(uses) != 2 || uses[0].Name != "a" || uses[1].Name != "b" || uses[0].Pos.Col != 28 {
		t.Errorf("got %+v", uses)
	}
	if got, err := ps.Text(template, Config, &Values{}); got != "x"+flow.SecretMark("b") || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, computed := range []string{"upper(secret('a'))", "secret('a') == 'x' ? 'y' : 'z'", "len(secret('a'))", "quote(secret('a'))", "'x' + trim('y' + secret('a'))"} {
		if problems := ps.Check(expression(computed), Config, nil); len(problems) != 1 || !strings.Contains(problems[0].Message, "known on the agent alone") {
			t.Errorf("%s: %v", computed, problems)
		}
	}
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	for source, want := range map[string][]Output{
		"needs.load.outputs.rows > needs.load.outputs.limit": {{"load", "limit"}, {"load", "rows"}},
		"needs['ods/load'].outputs['rows'] + 1":              {{"ods/load", "rows"}},
		"needs.copy[matrix.region].outputs.rows":             {{"copy", "rows"}},
		"needs.copy.eu.outputs.rows":                         {{"copy", "rows"}},
		"needs.load.state == 'failed'":                       nil,
		"params.outputs":                                     nil,
	} {
		template, _ := ParseTemplate("${{ "+source+" }}", func(int) flow.Pos { return flow.Pos{} })
		if got := new(Programs).Outputs(template, Dispatch); !slices.Equal(got, want) {
			t.Errorf("%s reads %v, want %v", source, got, want)
		}
	}
}
