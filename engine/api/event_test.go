package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"flowctl/engine"
)

func TestReadEventPassesOverWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	r := bufio.NewReader(strings.NewReader(": alive\n\nretry: 5\nid: 1\n\nevent: state\r\ndata: {\"a\": 1}\r\n\r\nevent: end\ndata:{}\n\nevent: cut"))
	lines := 0
	for _, want := range [][2]string{{"state", `{"a": 1}`}, {"end", "{}"}} {
		event, data, err := readEvent(r, func() { lines++ })
		if err != nil || event != want[0] || string(data) != want[1] {
			t.Errorf("read %q %q %v, want %q", event, data, err, want)
		}
	}
	if _, _, err := readEvent(r, func() {}); err == nil {
		t.Error("half an event was read as one")
	}
	if lines != 11 {
		t.Errorf("%d signs of life in 11 lines", lines)
	}
}

func FuzzReadEvent(f *testing.F) {
	f.Add([]byte("event: state\ndata: {}\n\n: alive\n\nevent: end\ndata: {}\n\n"))
	f.Add([]byte("data\n\n\n:\r\nevent:x\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(stream), 16)
		for {
			event, data, err := readEvent(r, func() {})
			if err != nil {
				return
			}
			if event == "" || bytes.ContainsRune(data, '\n') {
				t.Fatalf("event %q with data %q", event, data)
			}
		}
	})
}

// TestChangesAddUp sends random histories of a run as changes and has the reader put them together.
func TestChangesAddUp(t *testing.T) {
	t.Parallel()
	states := []engine.State{engine.Waiting, engine.Running, engine.Succeeded, engine.Failed}
	rapid.Check(t, func(t *rapid.T) {
		var sent, got *engine.RunDetail
		for range rapid.IntRange(1, 20).Draw(t, "events") {
			d := engine.RunDetail{RunView: engine.RunView{ID: engine.RunID(rapid.Int64Range(1, 3).Draw(t, "id"))}, Tasks: []engine.TaskRunView{}}
			for _, name := range rapid.SampledFrom([]string{"abc", "abcd", "bca"}).Draw(t, "tasks") {
				d.Tasks = append(d.Tasks, engine.TaskRunView{Task: string(name), State: rapid.SampledFrom(states).Draw(t, "state")})
			}
			event, data := runChange(sent, d)
			sent = &d
			wire, err := json.Marshal(data)
			if err != nil {
				t.Fatal(err)
			}
			var read engine.RunDetail
			if err := json.Unmarshal(wire, &read); err != nil {
				t.Fatal(err)
			}
			if event == eventChange {
				read = applyChange(got, read)
			}
			got = &read
			if !reflect.DeepEqual(*got, d) {
				t.Fatalf("the reader has %+v of %+v", *got, d)
			}
		}
	})
}
