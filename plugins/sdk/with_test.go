package sdk

import (
	"encoding/json"
	"testing"
)

func FuzzDecodeWith(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"a": 1}`, `{"a": "x", "b": {"c": [1]}}`, `{"z": 1}`, `[`, `{"a": 1} {}`, `null`, "\x00"} {
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
		if len(problems) == 0 && len(with) > 0 && len(json.RawMessage(with)) > 0 && !json.Valid(with) && len(trim(with)) > 0 {
			t.Errorf("%q is no JSON, and there is no problem", with)
		}
		for _, p := range problems {
			if p.Message == "" || p.Path != "" && p.Path[0] != '/' {
				t.Errorf("%q: problem %+v", with, p)
			}
		}
	})
}

func trim(b []byte) []byte {
	var kept []byte
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\v' && c != '\f' && c != 0x85 && c != 0xA0 {
			kept = append(kept, c)
		}
	}
	return kept
}
