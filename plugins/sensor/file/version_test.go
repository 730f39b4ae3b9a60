package file

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	testTime := time.Date(2026, 11, 19, 0, 0, 0, 0, time.UTC)
	base := t.TempDir()
	path := filepath.Join(base, "set", sdk.Marker)
	client := sdktest.Serve(t, Sensor{})
	version := func() string {
		t.Helper()
		states, err := client.Check(t.Context(), base, []string{"set/"})
		if err != nil || states[0].Error != "" {
			t.Fatal(err, states)
		}
		return states[0].Version
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Dir(path), 0o700))
	seen := map[string]string{version(): "absent"}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"made", func() error { return os.WriteFile(path, nil, 0o600) }},
		{"grown", func() error { return os.WriteFile(path, []byte("x"), 0o600) }},
		{"touched", func() error { return os.Chtimes(path, testTime, testTime) }},
		{"replaced", func() error {
			other := path + ".new"
			if err := os.WriteFile(other, []byte("x"), 0o600); err != nil {
				return err
			}
			if err := os.Chtimes(other, testTime, testTime); err != nil {
				return err
			}
			return os.Rename(other, path)
		}},
	} {
		must(step.do())
		v := version()
		if before, same := seen[v]; same {
			t.Errorf("%s: the version %q is that of %s", step.name, v, before)
		}
		if seen[v] = step.name; version() != v {
			t.Errorf("%s: the version changes by itself", step.name)
		}
	}
}
