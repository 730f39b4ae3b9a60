package wire

import (
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"flowctl/engine"
)

// fill sets every field of a struct to a value that is not zero, so that a field that the conversion forgets shows.
func fill(v reflect.Value, n *int64) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), reflect.ValueOf("value"))
	case reflect.String:
		v.SetString("s" + string(rune('a'+*n%26)))
	case reflect.Uint8:
		v.SetUint(uint64(engine.ReportFinished))
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.SetInt(*n)
	}
}

func TestAssignmentSurvivesTheWire(t *testing.T) {
	t.Parallel()
	var n int64
	want := new(engine.Assignment)
	fill(reflect.ValueOf(want).Elem(), &n)
	data, err := proto.Marshal(FromAssignment(want))
	if err != nil {
		t.Fatal(err)
	}
	var w Assignment
	if err := proto.Unmarshal(data, &w); err != nil {
		t.Fatal(err)
	}
	if got := ToAssignment(&w); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestHostAndBeatSurviveTheWire(t *testing.T) {
	t.Parallel()
	host := engine.Host{
		Name: "h", Started: time.UnixMicro(5).UTC(), Interval: time.Second, CPU: 1500, Memory: 1 << 40,
		TaskCPU: 1000, TaskMemory: 1 << 30, Users: []string{"etl"},
		Plugins: []engine.Plugin{{Kind: "runner", Name: "shell", Version: "1"}, {Kind: "sensor", Name: "file"}},
	}
	if got := ToHost(FromHost(host)); !reflect.DeepEqual(got, host) {
		t.Errorf("got %+v\nwant %+v", got, host)
	}
	var n int64
	var beat engine.Beat
	fill(reflect.ValueOf(&beat).Elem(), &n)
	if got := ToBeat(FromBeat(beat)); got != beat {
		t.Errorf("got %+v\nwant %+v", got, beat)
	}
	if got := ToHost(nil); !reflect.DeepEqual(got, engine.Host{}) {
		t.Errorf("of an agent that says nothing: %+v", got)
	}
}

func TestReportSurvivesTheWire(t *testing.T) {
	t.Parallel()
	var n int64
	var want engine.Report
	fill(reflect.ValueOf(&want).Elem(), &n)
	data, err := proto.Marshal(FromReport(want))
	if err != nil {
		t.Fatal(err)
	}
	var w Report
	if err := proto.Unmarshal(data, &w); err != nil {
		t.Fatal(err)
	}
	if got := ToReport(&w); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}
