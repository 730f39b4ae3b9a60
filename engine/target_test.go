package engine

import (
	"errors"
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Target{
		"warehouse.orders":                           {Flow: "warehouse.orders"},
		"warehouse.orders/load":                      {Flow: "warehouse.orders", Task: "load"},
		"warehouse.orders@2026-11-19":                {Flow: "warehouse.orders", From: "2026-11-19"},
		"warehouse.orders/load@2026-11-19#2":         {Flow: "warehouse.orders", Task: "load", From: "2026-11-19", Version: 2},
		"f@2026-W01..2026-W07":                       {Flow: "f", From: "2026-W01", To: "2026-W07"},
		"f@2026-10-25T02:15+02:00..2026-10-25T03:00": {Flow: "f", From: "2026-10-25T02:15+02:00", To: "2026-10-25T03:00"},
		"f@2026-11-19T13:15:02.123456Z":              {Flow: "f", From: "2026-11-19T13:15:02.123456Z"},
		"f/load:eu":                                  {Flow: "f", Task: "load:eu"},
		"f/load:a/b:ü":                               {Flow: "f", Task: "load:a/b:ü"},
		"_f-1":                                       {Flow: "_f-1"},
	} {
		got, err := ParseTarget(in)
		if err != nil || got != want {
			t.Errorf("ParseTarget(%q) = %+v, %v; want %+v", in, got, err, want)
		}
		if got.String() != in {
			t.Errorf("ParseTarget(%q).String() = %q", in, got.String())
		}
	}
}

func TestParseTargetRefuses(t *testing.T) {
	t.Parallel()
	for in, part := range map[string]string{
		"":                             "flow is missing",
		"/load":                        "flow is missing",
		"f/":                           "task is missing",
		"f@":                           "period is missing",
		"f@..2026":                     "period is missing",
		"f@2026..":                     "period is missing",
		"f@a..b..c":                    "more than one range",
		"f#":                           "version \"\" is not a number",
		"f#0":                          "not a number from 1",
		"f#+1":                         "not a number from 1",
		"f@2026#x":                     "not a number from 1",
		".f":                           "begins with",
		"-f":                           "begins with",
		"a b":                          "holds ' '",
		"f/a/b":                        "holds '/'",
		"f/load:":                      "no matrix value",
		"f@2026 11":                    "holds ' '",
		"f@20…":                        "holds '…'",
		strings.Repeat("x", 201):       "longer than 200",
		"f@" + strings.Repeat("1", 65): "too long",
	} {
		_, err := ParseTarget(in)
		var e *Error
		if !errors.As(err, &e) || e.Code != Invalid || !strings.Contains(e.Message, part) {
			t.Errorf("ParseTarget(%q) = %v; want an invalid error with %q", in, err, part)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"a", "a/b@c..d#1", "f@2026-10-25T02:15+02:00", "f/load:eu@2026-W47#12", "@#/..", "f@a...b", "f#1#2", "f/\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseTarget(s)
		if err != nil {
			if got != (Target{}) {
				t.Errorf("ParseTarget(%q) failed and returned %+v", s, got)
			}
			return
		}
		if got.String() != s {
			t.Errorf("ParseTarget(%q).String() = %q", s, got.String())
		}
	})
}
