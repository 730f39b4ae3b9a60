package agent

import (
	"maps"
	"strings"
	"testing"
)

func TestParseOutputs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want map[string]string
		err  string
	}{
		{"", map[string]string{}, ""},
		{"a=1\nb=2\n", map[string]string{"a": "1", "b": "2"}, ""},
		{"a=1\r\n\n  \nb = x=y", map[string]string{"a": "1", "b": " x=y"}, ""},
		{"a=1\na=2\n", map[string]string{"a": "2"}, ""},
		{"a=\n", map[string]string{"a": ""}, ""},
		{"a=1\nnonsense\n", nil, `line 2 is "nonsense": write key=value`},
		{"=x\n", nil, "line 1"},
		{"a=\xff\n", nil, "line 1 is not UTF-8"},
		{strings.Repeat("x", 100), nil, "…"},
		{"a=" + strings.Repeat("x", maxOutput), nil, "larger than"},
	} {
		got, err := parseOutputs([]byte(test.text))
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) || !maps.Equal(got, test.want) {
			t.Errorf("%.40q: got %v, %v", test.text, got, err)
		}
	}
}

func FuzzParseOutputs(f *testing.F) {
	f.Add([]byte("a=1\nb=2\n"))
	f.Add([]byte("\n=\n"))
	f.Add([]byte("a\xff=\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseOutputs(data)
		if err == nil && got == nil {
			t.Error("neither outputs nor an error")
		}
		for k, v := range got {
			if k == "" || strings.ContainsAny(k+v, "\n") || !strings.Contains(string(data), v) {
				t.Errorf("%q became %q=%q", data, k, v)
			}
		}
	})
}
