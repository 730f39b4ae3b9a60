package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	for _, name := range []string{"done/_SUCCESS", "busy/part-0", "file", "with space"} {
		path := filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct {
		path   string
		exists bool
		err    string // a part of it
	}{
		{"done/", true, ""},
		{"busy/", false, ""},
		{"busy", true, ""},
		{"absent/", false, ""},
		{"file", true, ""},
		{"file/", false, ""},
		{"file/below", false, ""},
		{base + "/file", true, ""},
		{"file://" + base + "/done/", true, ""},
		{"file://localhost" + base + "/file", true, ""},
		{"file://" + base + "/with%20space", true, ""},
		{"file://elsewhere/file", false, `names the host "elsewhere"`},
		{"hdfs://nn/file", false, "does not know hdfs://"},
		{"file://%zz", false, "invalid URL escape"},
		{"", false, "names no file"},
		{"a\x00b", false, "invalid argument"},
	}
	paths := make([]string, len(cases))
	for i, c := range cases {
		paths[i] = c.path
	}
	client := sdktest.Serve(t, Sensor{})
	states, err := client.Check(t.Context(), base, paths)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range states {
		c := cases[i]
		if s.Exists != (s.Version != "") {
			t.Errorf("%q has version %q", c.path, s.Version)
		}
		if s.Exists != c.exists || (s.Error == "") != (c.err == "") || !strings.Contains(s.Error, c.err) {
			t.Errorf("%q: got %+v, want %v, error %q", c.path, s, c.exists, c.err)
		}
	}
	if _, err := resolve("", "relative"); err == nil {
		t.Error("a relative path without a base was resolved")
	}
	if client.Describe().Kind != sdk.KindSensor {
		t.Errorf("described as %+v", client.Describe())
	}
}
