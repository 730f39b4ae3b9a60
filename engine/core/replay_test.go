package core

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// A recorded history is lines of JSON, each with one of these: a machine rebuilt from a snapshot, an event handled, or what was taken.

// line is one line of a recorded history.
type line struct {
	At       period.Instant    `json:"at,omitempty"`
	Snapshot *engine.Snapshot  `json:"snapshot,omitempty"`
	Kind     string            `json:"kind,omitempty"` // the type of the event
	Event    json.RawMessage   `json:"event,omitempty"`
	Revision engine.RevisionID `json:"revision,omitempty"` // that the event names
	Took     string            `json:"took,omitempty"`
}

// record writes the history so far.
func (s *sim) record(to io.Writer) error {
	enc := json.NewEncoder(to)
	for _, e := range s.log {
		l := line{At: e.at, Snapshot: e.snapshot, Took: e.took}
		if e.event != nil {
			ev := reflect.New(reflect.TypeOf(e.event)).Elem()
			ev.Set(reflect.ValueOf(e.event))
			l.Kind = ev.Type().Name()
			if f := ev.FieldByName("Revision"); f.IsValid() && !f.IsNil() {
				l.Revision = f.Interface().(*Revision).ID
				f.SetZero()
			}
			var err error
			if l.Event, err = json.Marshal(ev.Interface()); err != nil {
				return fmt.Errorf("%s: %w", l.Kind, err)
			}
		}
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// decode returns the event of a line.
func (l *line) decode(revs map[engine.RevisionID]*Revision) (Event, error) {
	for _, known := range []Event{
		Tick{}, Boot{}, Activated{}, AgentJoined{}, AgentLost{}, Silent{}, Reported{}, Probed{}, LedgerAnswered{}, ExistingAnswered{}, Loaded{}, Overdue{}, AgentBeat{}, Drain{}, Missing{}, Noted{}, StartRun{},
		Rerun{}, Reruns{}, Kill{}, Succeed{}, Skip{}, Delete{}, Pause{}, Resume{}, DeclareDead{}, StartBackfill{}, ControlBackfill{}, SetSignal{}, GateReported{}, AnswerGate{},
	} {
		if reflect.TypeOf(known).Name() != l.Kind {
			continue
		}
		ev := reflect.New(reflect.TypeOf(known)).Elem()
		if err := json.Unmarshal(l.Event, ev.Addr().Interface()); err != nil {
			return nil, err
		}
		if l.Revision != 0 {
			ev.FieldByName("Revision").Set(reflect.ValueOf(revs[l.Revision]))
		}
		return ev.Interface().(Event), nil
	}
	return nil, fmt.Errorf("no event is named %q", l.Kind)
}

// replay is invariant 9: a history that was recorded, and is read again, gives the same changes and effects.
func (s *sim) replay() {
	var file bytes.Buffer
	if err := s.record(&file); err != nil {
		s.Fatalf("record: %v", err)
	}
	m := New()
	m.RedispatchAfter = simRedispatch
	dec := json.NewDecoder(&file)
	for i := 0; ; i++ {
		var l line
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			s.Fatalf("replay: line %d: %v", i, err)
		}
		switch {
		case l.Snapshot != nil:
			var err error
			if m, err = Restore(l.At, l.Snapshot, s.revs); err != nil {
				s.Fatalf("replay: restore: %v", err)
			}
			m.RedispatchAfter = simRedispatch
		case l.Kind != "":
			ev, err := l.decode(s.revs)
			if err != nil {
				s.Fatalf("replay: line %d: %v", i, err)
			}
			for _, rev := range s.revs {
				m.Hold(rev)
			}
			_, _ = m.Handle(l.At, ev)
		case l.Took != "":
			out := m.Take()
			if got := transcript(out); got != l.Took {
				s.Fatalf("replay: line %d gave\n%s\nfirst\n%s", i, got, l.Took)
			}
			m.Done()
		}
	}
}
