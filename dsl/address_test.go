package dsl

import (
	"encoding/json"
	"testing"

	"flowctl/dsl/flow"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	hive := new(schemas).builtin(flow.RunnerPlugin, "hive")
	text := func(s string) *flow.Template { return constant(text{value: s}) }
	secret := &flow.Template{Parts: []flow.Part{{Expr: "secret('host')"}}}
	for _, c := range []struct {
		schema *schema
		with   map[string]any
		want   string
	}{
		{hive, map[string]any{"host": "hs2"}, "hs2:10000"},
		{hive, map[string]any{"host": text("hs2"), "port": int64(10001)}, "hs2:10001"},
		{hive, map[string]any{"host": "fd00::1", "port": text("10001")}, "[fd00::1]:10001"},
		{hive, map[string]any{"host": "hs2", "port": json.Number("7")}, "hs2:7"},
		{hive, map[string]any{"host": "hs2", "port": secret}, ""},
		{hive, map[string]any{"host": secret}, ""},
		{hive, nil, ""},
		{new(schemas).builtin(flow.RunnerPlugin, "ssh"), map[string]any{"host": "box"}, "box:22"},
		{new(schemas).builtin(flow.RunnerPlugin, "ssh"), map[string]any{"host": "box", "jump": text("gate")}, ""},
		{&schema{}, map[string]any{"host": "x"}, ""},
		{nil, map[string]any{"url": "https://x/y"}, "x:443"},
		{nil, map[string]any{"url": text("http://x:8080")}, "x:8080"},
		{nil, map[string]any{"url": "jdbc:x"}, ""},
		{nil, map[string]any{"url": secret}, ""},
		{nil, map[string]any{"url": ":"}, ""},
	} {
		if got := address(c.schema, c.with); got != c.want {
			t.Errorf("%v: %q, want %q", c.with, got, c.want)
		}
	}
}
