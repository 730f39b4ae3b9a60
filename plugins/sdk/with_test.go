package sdk

import (
	"bytes"
	"encoding/json"
	"testing"
)

func FuzzDecodeWith(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"a": 1}`, `{"a": "x", "b": {"c": [1]}}`, `{"z": 1}`, `[`, `{"a": 1} {}`, `null`, "\x00", "\u00a0"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, with []byte) {
		var v struct {
			A int `json:"a"`
			B struct {
				C []string `json:"c"`
			} `json:"b"`
		}
		problems := DecodeWith(with, &v)
		if len(problems) == 0 && !json.Valid(with) && len(bytes.Trim(with, " \t\r\n")) > 0 {
			t.Errorf("%q is no JSON, and there is no problem", with)
		}
		for _, p := range problems {
			if p.Message == "" || p.Path != "" && p.Path[0] != '/' {
				t.Errorf("%q: problem %+v", with, p)
			}
		}
	})
}
