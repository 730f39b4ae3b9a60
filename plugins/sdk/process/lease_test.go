package process

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flowctl/plugins/sdk"
)

// distant is a runner of whose attempts something goes on elsewhere.
type distant struct{ elsewhere time.Duration }

func (distant) Describe() sdk.Description {
	return sdk.Description{Name: "distant", Kind: sdk.KindRunner}
}
func (distant) Validate(json.RawMessage) []sdk.Problem { return nil }

func (d distant) Command(sdk.Spec) (Command, error) {
	return Command{Path: "/bin/sleep", Args: []string{"60"}, Elsewhere: d.elsewhere}, nil
}

// TestALeaseLeavesTimeForWhatGoesOnElsewhere wants the process dead before its lease ends by as much.
func TestALeaseLeavesTimeForWhatGoesOnElsewhere(t *testing.T) {
	t.Parallel()
	const elsewhere = 30 * time.Second
	r, err := Open(filepath.Join(t.TempDir(), "home"), distant{elsewhere})
	if err != nil {
		t.Fatal(err)
	}
	run := func(lease time.Duration) sdk.Result {
		spec := sdk.Spec{Work: filepath.Join(t.TempDir(), "work"), Dir: "/", Lease: sdk.SinceBoot() + lease}
		if err := r.Start(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		if lease > 2*elsewhere {
			// The next renewal is late: the lease has ended here, and not yet for the server.
			if err := write(spec.Work, leaseFile, leaseRecord{int64(sdk.SinceBoot() + elsewhere + time.Second/10), elsewhere}); err != nil {
				t.Fatal(err)
			}
			a, err := r.find(spec.Work)
			if err != nil {
				t.Fatal(err)
			}
			go a.enforce() // the first one sleeps until the end that it knows of
			r.release(a)
		}
		res, err := r.Wait(t.Context(), spec.Work, 0, func(int64, []byte) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if res := run(2*elsewhere + time.Minute); res.Code != sdk.CodeAgentLost {
		t.Errorf("a lease that ended here: %+v", res)
	}
	if res := run(2 * elsewhere); res.Code != sdk.CodeStart || !strings.Contains(res.Message, "lost_after must be longer than 1m0s") {
		t.Errorf("a lease that is too short: %+v", res)
	}
}
