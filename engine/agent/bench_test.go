package agent

import (
	"context"
	"syscall"
	"testing"
	"time"

	"flowctl/engine"
	"flowctl/plugins/sdk"
)

// instantPlugins stands in for a runner whose attempts are over as soon as they start.
type instantPlugins struct{}

func (p instantPlugins) Holder(ctx context.Context, name, user string, pins []string) (Runner, error) {
	return p.Runner(ctx, name, user, pins)
}

func (instantPlugins) Runner(context.Context, string, string, []string) (Runner, error) {
	return instantRunner{}, nil
}

func (instantPlugins) Sensor(context.Context, string, []string) (Sensor, error) { panic("no inputs") }

func (instantPlugins) Clear(context.Context, string, string) error { panic("no accounts") }

type instantRunner struct{ Runner }

func (instantRunner) Start(context.Context, sdk.Spec) error { return nil }

func (instantRunner) Wait(context.Context, string, int64, func(int64, []byte) error) (sdk.Result, error) {
	return success, nil
}

// finishes is an engine.FleetEvents that counts ends.
type finishes struct {
	hub    func() engine.Fleet
	joined chan struct{}
	ended  chan engine.AttemptID
}

func (f finishes) Joined(context.Context, engine.Hello) error               { close(f.joined); return nil }
func (f finishes) Lost(context.Context, string)                             {}
func (f finishes) Beaten(context.Context, string, engine.Beat) error        { return nil }
func (f finishes) Probed(context.Context, string, []engine.PathState) error { return nil }
func (f finishes) Reported(_ context.Context, agent string, rs []engine.Report) error {
	var ids []engine.AttemptID
	for _, r := range rs {
		if r.Kind == engine.ReportFinished {
			ids = append(ids, r.Attempt)
		}
	}
	if len(ids) > 0 {
		f.hub().Ack(agent, ids)
	}
	for _, id := range ids {
		f.ended <- id
	}
	return nil
}

// cpuTime is the processor time of this process so far, which other work on the machine does not change.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRoundTrip measures an attempt's way from Assign to the report of its end and its acknowledgement, with a runner
// that costs nothing: alone (the step of a chain), and with many in flight (fan-out).
func BenchmarkRoundTrip(b *testing.B) {
	for _, c := range []struct {
		name     string
		inFlight int
	}{{"chain", 1}, {"fan-out", 8}} {
		b.Run(c.name, func(b *testing.B) {
			var r *rig
			f := finishes{func() engine.Fleet { return r.hub }, make(chan struct{}), make(chan engine.AttemptID, c.inFlight)}
			r = newRigFor(b, f)
			o := r.options("one")
			o.Plugins, o.Token = instantPlugins{}, r.token()
			_, stop := r.run(o)
			<-f.joined
			var last engine.AttemptID
			assign := func() {
				last++
				r.hub.Assign("one", []*engine.Assignment{assignment(last)})
			}
			assign() // fetches the tree
			<-f.ended
			b.ReportAllocs()
			before := cpuTime(b)
			b.ResetTimer()
			for i := range b.N {
				assign()
				if i >= c.inFlight-1 {
					<-f.ended
				}
			}
			for range min(b.N, c.inFlight-1) {
				<-f.ended
			}
			b.StopTimer()
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
			if err := stop(); err != nil {
				b.Error(err)
			}
		})
	}
}
