package dsl

import (
	"slices"
	"strings"
	"testing"
)

// TestEveryFieldIsDescribed compares what editors and the reference are told with what the decoder reads.
func TestEveryFieldIsDescribed(t *testing.T) {
	t.Parallel()
	described := map[*shape]bool{}
	for _, m := range mappings() {
		described[m.shape] = true
		var names []string
		for _, f := range m.fields {
			names = append(names, f.name)
			if f.about == "" || f.takes.words == "" {
				t.Errorf("%s: %s has no description", m.id, f.name)
			}
		}
		want := slices.Sorted(slices.Values(m.shape.fields))
		if slices.Sort(names); !slices.Equal(names, want) {
			t.Errorf("%s describes %v, the decoder reads %v", m.id, names, want)
		}
	}
	for _, s := range []*shape{
		&settingsShape, &flowShape, &taskShape, &catalogShape, &templateShape, &personShape, &teamShape, &scheduleShape, &alertsShape,
		&testShape, &expectationShape, &outcomesShape, &outcomeShape, &hostShape, &absenceShape, &announcementShape, &actionShape,
	} {
		if !described[s] {
			t.Errorf("%s is not described", s.name)
		}
	}
}

// TestReferencesOfTheSchemaExist looks for definitions that nothing defines.
func TestReferencesOfTheSchemaExist(t *testing.T) {
	t.Parallel()
	schema, err := EditorSchema()
	if err != nil {
		t.Fatal(err)
	}
	defined := map[string]bool{}
	for _, m := range mappings() {
		defined[definition(m.id)] = true
	}
	for _, part := range strings.Split(string(schema), "#/definitions/")[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if !defined[name] {
			t.Errorf("nothing defines %s", name)
		}
	}
}
