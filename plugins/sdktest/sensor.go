package sdktest

import (
	"context"
	"encoding/json"
	"testing"

	"flowctl/plugins/sdk"
)

// SensorSuite tells the conformance suite how to try a sensor.
type SensorSuite struct {
	Sensor sdk.Sensor
	// Place returns where nothing exists yet. It is called once for each test, and lasts until that test ends.
	Place func(*testing.T) Place
	// Wrong are paths that the sensor must refuse, each as that path's error.
	Wrong []string
}

// Place is where a sensor looks.
type Place struct {
	Base   string // folder against which relative paths resolve; may be empty
	File   string // a path without / at its end
	Folder string // a path with one; its data is complete when it holds sdk.Marker
	// Make makes File, or the marker of Folder, or changes what it made; each content is another.
	Make func(path, content string)
	// Remove takes away what Make made.
	Remove func(path string)
	// Versions says that the sensor can tell whether what answers for a path has changed.
	Versions bool
}

// Sensor tests that a sensor describes itself and answers for paths as package sdk promises.
func Sensor(t *testing.T, s SensorSuite) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*lookout, *testing.T)
	}{
		{"describe", (*lookout).describes},
		{"file", func(l *lookout, t *testing.T) { l.comesAndGoes(t, l.File) }},
		{"folder", func(l *lookout, t *testing.T) { l.comesAndGoes(t, l.Folder) }},
		{"many paths", (*lookout).keepsOrder},
		{"cancelled", (*lookout).cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run(&lookout{Place: s.Place(t), suite: s, client: Serve(t, s.Sensor)}, t)
		})
	}
}

// lookout is one served sensor and where it looks.
type lookout struct {
	Place
	suite  SensorSuite
	client *sdk.Client
}

func (l *lookout) check(t *testing.T, paths ...string) []sdk.PathState {
	t.Helper()
	states, err := l.client.Check(t.Context(), l.Base, paths)
	if err != nil {
		t.Fatalf("check %q: %v", paths, err)
	}
	return states
}

func (l *lookout) describes(t *testing.T) {
	d := l.client.Describe()
	if d.Kind != sdk.KindSensor || d.Name == "" || d.Version == "" {
		t.Errorf("got %q %q of kind %q, want a name, a version and the kind %q", d.Name, d.Version, d.Kind, sdk.KindSensor)
	}
	var schema struct{ Type string }
	if err := json.Unmarshal(d.Schema, &schema); err != nil || schema.Type != "object" {
		t.Errorf("schema %s: type %q, %v; want the JSON schema of an object", d.Schema, schema.Type, err)
	}
}

func (l *lookout) comesAndGoes(t *testing.T, path string) {
	want := func(exists bool) string {
		t.Helper()
		s := l.check(t, path)[0]
		if s.Error != "" || s.Exists != exists {
			t.Fatalf("%s: %+v, want exists %v and no error", path, s, exists)
		}
		if exists && (s.Version != "") != l.Versions {
			t.Errorf("%s has the version %q, and the suite says that versions are told: %v", path, s.Version, l.Versions)
		}
		return s.Version
	}
	want(false)
	l.Make(path, "first")
	first := want(true)
	if again := want(true); again != first {
		t.Errorf("%s did not change, and its version went from %q to %q", path, first, again)
	}
	l.Make(path, "second, longer")
	if second := want(true); l.Versions && second == first {
		t.Errorf("%s changed, and its version %q did not", path, first)
	}
	l.Remove(path)
	want(false)
}

func (l *lookout) keepsOrder(t *testing.T) {
	l.Make(l.File, "there")
	paths := append([]string{l.Folder, l.File, l.Folder, l.File}, l.suite.Wrong...)
	for i, s := range l.check(t, paths...) {
		switch {
		case i >= 4 && (s.Exists || s.Error == ""):
			t.Errorf("%s: %+v, want an error", paths[i], s)
		case i < 4 && (s.Error != "" || s.Exists != (paths[i] == l.File)):
			t.Errorf("%s: %+v", paths[i], s)
		}
	}
	if states := l.check(t); len(states) != 0 {
		t.Errorf("no paths have the states %+v", states)
	}
}

func (l *lookout) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if states, err := l.client.Check(ctx, l.Base, []string{l.File}); err == nil {
		t.Errorf("a call that was cancelled returned %+v", states)
	}
}
