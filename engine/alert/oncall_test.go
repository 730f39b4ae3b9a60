package alert

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

func instant(t testing.TB, s string) period.Instant {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return period.At(at)
}

func weekly(order ...string) *flow.Oncall {
	monday := time.Monday
	return &flow.Oncall{Rotate: flow.Weekly, Weekday: &monday, Handoff: 9 * time.Hour, Timezone: "Asia/Shanghai", Order: order}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	three := weekly("alice", "bob", "carol")
	away := weekly("alice", "bob", "carol")
	away.Overrides = []flow.Override{{From: "2026-12-24", To: "2026-12-27", Who: "carol"}}
	daily := &flow.Oncall{Rotate: flow.Daily, Handoff: 8*time.Hour + 30*time.Minute, Timezone: "Europe/Berlin", Order: []string{"alice", "bob"}}
	two := weekly("alice", "bob")
	two.Overrides = []flow.Override{{From: "2026-12-24", To: "2026-12-24", Who: "bob"}, {From: "2026-12-24", To: "2026-12-30", Who: "alice"}}
	for _, c := range []struct {
		name    string
		oncall  *flow.Oncall
		at      string
		primary string
		second  string
		until   string
	}{
		{"just before the hand-off", three, "2026-11-23T08:59:59+08:00", "alice", "bob", "2026-11-23T09:00:00+08:00"},
		{"at the hand-off", three, "2026-11-23T09:00:00+08:00", "bob", "carol", "2026-11-30T09:00:00+08:00"},
		{"all week", three, "2026-11-29T23:00:00+08:00", "bob", "carol", "2026-11-30T09:00:00+08:00"},
		{"a week later", three, "2026-11-30T09:00:00+08:00", "carol", "alice", "2026-12-07T09:00:00+08:00"},
		{"round again", three, "2026-12-07T10:00:00+08:00", "alice", "bob", "2026-12-14T09:00:00+08:00"},
		{"before an override", away, "2026-12-23T23:59:59+08:00", "carol", "alice", "2026-12-24T00:00:00+08:00"},
		{"the zone decides when it begins", away, "2026-12-23T16:00:00Z", "carol", "alice", "2026-12-28T00:00:00+08:00"},
		{"daily", daily, "2026-11-23T08:29:00+01:00", "bob", "alice", "2026-11-23T08:30:00+01:00"},
		{"daily, the next", daily, "2026-11-23T08:30:00+01:00", "alice", "bob", "2026-11-24T08:30:00+01:00"},
		{"daily over the change of clocks", daily, "2026-10-25T07:31:00Z", "bob", "alice", "2026-10-26T08:30:00+01:00"},
		{"the first override of a day counts", two, "2026-12-24T12:00:00+08:00", "bob", "", "2026-12-25T00:00:00+08:00"},
		{"alone", weekly("alice"), "2026-12-24T12:00:00+08:00", "alice", "", "2026-12-28T09:00:00+08:00"},
		{"before 1970", three, "1969-12-20T12:00:00+08:00", "alice", "bob", "1969-12-22T09:00:00+08:00"},
	} {
		d, ok := Rotation(c.oncall, nil, instant(t, c.at))
		want := Duty{Primary: c.primary, Secondary: c.second, Until: instant(t, c.until), Override: d.Override}
		if !ok || d != want {
			t.Errorf("%s: got %+v (until %s), want %+v (until %s)", c.name, d, d.Until.Time(), want, c.until)
		}
	}
	if _, ok := Rotation(&flow.Oncall{}, nil, 0); ok {
		t.Error("a rotation of nobody has somebody on call")
	}
}

// Everybody is on call in turn, nobody is their own secondary, and duty changes exactly where the former said.
func TestRotationTurns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := weekly([]string{"a", "b", "c", "d", "e"}[:rapid.IntRange(1, 5).Draw(t, "people")]...)
		o.Handoff = time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, "handoff")) * time.Minute
		o.Timezone = rapid.SampledFrom([]string{"UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"}).Draw(t, "zone")
		weekday := time.Weekday(rapid.IntRange(0, 6).Draw(t, "weekday"))
		o.Weekday = &weekday
		if rapid.Bool().Draw(t, "daily") {
			o.Rotate, o.Weekday = flow.Daily, nil
		}
		at := period.Instant(rapid.Int64Range(0, 4e15).Draw(t, "at"))
		for range 2 * len(o.Order) {
			d, _ := Rotation(o, nil, at)
			if d.Until <= at {
				t.Fatalf("duty at %s ends at %s", at.Time(), d.Until.Time())
			}
			if d.Primary == d.Secondary {
				t.Fatalf("%s is their own secondary", d.Primary)
			}
			if last, _ := Rotation(o, nil, d.Until-1); last != d {
				t.Fatalf("duty changes before %s: %+v, then %+v", d.Until.Time(), d, last)
			}
			next, _ := Rotation(o, nil, d.Until)
			if len(o.Order) > 1 && next.Primary != d.Secondary {
				t.Fatalf("%+v is followed by %+v at %s", d, next, d.Until.Time())
			}
			at = d.Until
		}
	})
}

// TestOverridesOfOperators: they go before those of the declaration, the newest first, from their instant to their end.
func TestOverridesOfOperators(t *testing.T) {
	t.Parallel()
	o := weekly("alice", "bob", "carol")
	o.Overrides = []flow.Override{{From: "2026-12-24", To: "2026-12-27", Who: "carol"}}
	said := func(who, from, to string) engine.Override {
		return engine.Override{Team: "data", Person: who, From: instant(t, from), To: instant(t, to)}
	}
	all := []engine.Override{
		said("bob", "2026-12-25T12:00:00+08:00", "2026-12-26T12:00:00+08:00"),
		said("alice", "2026-12-26T00:00:00+08:00", "2026-12-26T06:00:00+08:00"),
		said("alice", "2026-12-25T00:00:00+08:00", "2026-12-25T00:00:00+08:00"), // taken back
	}
	for _, c := range []struct{ at, who, second, until string }{
		{"2026-12-25T11:59:59+08:00", "carol", "alice", "2026-12-25T12:00:00+08:00"},
		{"2026-12-25T12:00:00+08:00", "bob", "alice", "2026-12-26T00:00:00+08:00"},
		{"2026-12-26T05:00:00+08:00", "alice", "bob", "2026-12-26T06:00:00+08:00"},
		{"2026-12-26T06:00:00+08:00", "bob", "alice", "2026-12-26T12:00:00+08:00"},
		{"2026-12-26T12:00:00+08:00", "carol", "alice", "2026-12-28T00:00:00+08:00"},
	} {
		d, ok := Rotation(o, all, instant(t, c.at))
		if want := (Duty{Primary: c.who, Secondary: c.second, Override: true, Until: instant(t, c.until)}); !ok || d != want {
			t.Errorf("at %s: %+v until %s, want %+v", c.at, d, d.Until.Time(), want)
		}
	}
	p := &flow.Project{Teams: map[string]*flow.Team{"data": {Oncall: o}}, People: map[string]*flow.Person{"bob": {}}}
	if d, _ := duty(p, append(all, engine.Override{Team: "other", Person: "bob", From: all[0].From, To: all[0].To}), "data", instant(t, "2026-12-26T05:00:00+08:00")); d.Primary != "bob" {
		t.Errorf("%s stands in, and is no person of the project", d.Primary)
	}
}
