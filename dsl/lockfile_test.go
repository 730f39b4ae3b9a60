package dsl_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"flowctl/dsl"
	"flowctl/dsl/flow"
)

func TestLockFile(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	spark := dsl.LockedPlugin{flow.Plugin{Name: "spark", Kind: flow.RunnerPlugin, Version: "1", SHA256: []string{b, a}}, json.RawMessage(`{"type":"object"}`)}
	pager := dsl.LockedPlugin{Plugin: flow.Plugin{Name: "pager", Kind: flow.ChannelPlugin, Version: "1.10", SHA256: []string{a}}}
	text, err := dsl.WriteLock([]dsl.LockedPlugin{spark, pager})
	if err != nil {
		t.Fatal(err)
	}
	want := "# Third-party plugins that the flows may use. Written by `flowctl plugin lock`.\n" + `version: 1
plugins:
  pager:
    kind: channel
    version: "1.10"
    sha256:
    - ` + a + `
  spark:
    kind: runner
    version: "1"
    sha256:
    - ` + a + `
    - ` + b + `
    schema:
      type: object
`
	if string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	back, err := dsl.ReadLock(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range back {
		back[i].Pos = flow.Pos{}
	}
	spark.SHA256 = []string{a, b}
	if !reflect.DeepEqual(back, []dsl.LockedPlugin{pager, spark}) {
		t.Errorf("read back %+v", back)
	}
	again, err := dsl.WriteLock([]dsl.LockedPlugin{back[1], back[0]})
	if err != nil || !bytes.Equal(again, text) {
		t.Errorf("written again\n%s\n%v", again, err)
	}
	for _, wrong := range []dsl.LockedPlugin{
		{Plugin: flow.Plugin{Name: "x", Kind: "thing", Version: "1", SHA256: []string{a}}},
		{Plugin: flow.Plugin{Name: "x", Kind: flow.RunnerPlugin, Version: "1", SHA256: []string{"abc"}}},
		{Plugin: flow.Plugin{Name: "x", Kind: flow.RunnerPlugin, Version: "1", SHA256: []string{a}}, Schema: json.RawMessage(`{"type": "nonsense"}`)},
	} {
		if text, err := dsl.WriteLock([]dsl.LockedPlugin{wrong}); err == nil {
			t.Errorf("%+v was written:\n%s", wrong, text)
		}
	}
}

func TestUnlocked(t *testing.T) {
	t.Parallel()
	files := repository("plugins.lock", "version: 1\nplugins: {known: {kind: runner, version: '1', sha256: "+strings.Repeat("a", 64)+"}}\n", "f.yaml", `flow: f
team: data
tasks:
  a: {runner: known, run: x}
  b: {runner: spark, run: x}
  c: {runner: spark, run: x, needs: [nowhere]}
  d: {run: x}
---
channels: {c: {plugin: pager, kind: sms, with: {}}}
connections: {x: {runner: trino, teams: [data], with: {}}}
`)
	want := []dsl.PluginUse{
		{flow.ChannelPlugin, "pager", flow.Pos{File: "f.yaml", Line: 9, Col: 24}},
		{flow.RunnerPlugin, "spark", flow.Pos{File: "f.yaml", Line: 5, Col: 15}},
		{flow.RunnerPlugin, "trino", flow.Pos{File: "f.yaml", Line: 10, Col: 27}},
	}
	if got := dsl.Unlocked(files); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// FuzzReadLock reads any plugins.lock, and writes what it read.
func FuzzReadLock(f *testing.F) {
	f.Add("version: 1\nplugins: {x: {kind: runner, version: 1, sha256: " + strings.Repeat("a", 64) + ", schema: {type: object}}}\n")
	f.Add("version: 2\n")
	f.Add("- [")
	f.Fuzz(func(t *testing.T, text string) {
		locked, err := dsl.ReadLock([]byte(text))
		if err != nil {
			return
		}
		written, err := dsl.WriteLock(locked)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if again, err := dsl.ReadLock(written); err != nil || len(again) != len(locked) {
			t.Fatalf("%q became %q: %v", text, written, err)
		}
	})
}
