package core

import (
	"fmt"
	"testing"
	"time"

	"flowctl/dsl/period"
	"flowctl/engine"
)

func TestSound(t *testing.T) {
	t.Parallel()
	m, now := New(), period.At(time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC))
	handle := func(ev Event) (asked string) {
		t.Helper()
		if _, err := m.Handle(now, ev); err != nil {
			t.Fatal(err)
		}
		asked = fmt.Sprint(m.Take().Soundings)
		m.Done()
		return asked
	}
	hive := System{Name: "hive", Path: "tcp://hs2:10000"}
	nn := System{Name: "hdfs://nn/", Path: "hdfs://nn/", Selector: []string{"hadoop"}}
	round := Sound{Systems: []System{hive, nn}, Slow: 10 * time.Second}
	want := func(when, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: asked %s, want %s", when, got, want)
		}
	}
	answer := func(path, failure string) {
		handle(Probed{Agent: "one", Paths: []engine.PathState{{Path: path, Error: failure}}})
	}
	known := func(n int) Soundness { return m.Soundnesses()[n] }

	want("nobody is there", handle(round), "[]")
	handle(AgentJoined{engine.Hello{Name: "one", BootID: "1", Slots: 1, Labels: []string{"hadoop"}}})
	want("somebody is", handle(round), "[{one tcp://hs2:10000} {one hdfs://nn/}]")
	now = now.Add(2 * time.Second)
	answer(hive.Path, "")
	if s := known(0); s.At != now || s.Took != 2*time.Second || s.Since != 0 || s.Asked != 0 {
		t.Errorf("after a good answer: %+v", s)
	}
	now = now.Add(time.Minute)
	want("one has not answered", handle(round), "[{one tcp://hs2:10000}]")
	asked := now
	now = now.Add(11 * time.Second)
	answer(hive.Path, "")
	if s := known(0); s.Since != asked || s.Failure != "" {
		t.Errorf("after a slow answer: %+v", s)
	}
	want("it is early", handle(round), "[]")
	now = now.Add(time.Minute)
	handle(round)
	answer(hive.Path, "refused")
	if s := known(0); s.Since != asked || s.Failure != "refused" {
		t.Errorf("after a failure: %+v", s)
	}
	handle(AgentLost{"one"})
	handle(AgentJoined{engine.Hello{Name: "one", BootID: "1", Slots: 1, Labels: []string{"hadoop"}}})
	want("who was asked was lost since", handle(round), "[{one hdfs://nn/}]")
	handle(Probed{Agent: "other", Paths: []engine.PathState{{Path: nn.Path}}})
	if s := known(1); s.At != 0 {
		t.Errorf("after the answer of another one: %+v", s)
	}
	now = now.Add(time.Minute)
	handle(round)
	answer(hive.Path, "")
	if s := known(0); s.Since != 0 {
		t.Errorf("when all is well: %+v", s)
	}
	handle(Sound{Systems: []System{nn}})
	if all := m.Soundnesses(); len(all) != 1 || all[0].Name != nn.Name || all[0].Asked == 0 {
		t.Errorf("left are %+v", all)
	}
}
