package agent

import (
	"errors"
	"testing"
	"testing/synctest"

	"flowctl/engine"
	"flowctl/engine/wire"
)

func TestStartTravelsWithAnEndThatFollowsSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		defer o.close()
		o.report(engine.Report{Attempt: 1, Kind: engine.ReportStarted})
		synctest.Wait()
		if len(o.ready) != 0 {
			t.Fatal("the report of a start was sent at once")
		}
		o.report(engine.Report{Attempt: 1, Kind: engine.ReportFinished})
		<-o.ready
		if m := o.take(); len(m.Reports) != 2 {
			t.Errorf("sent %v", m.Reports)
		}
	})
}

func TestStartDoesNotLingerForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		defer o.close()
		for range 3 {
			o.report(engine.Report{Attempt: 1, Kind: engine.ReportStarted})
			<-o.ready // the bubble's clock moves on when all else waits
			if m := o.take(); len(m.Reports) != 1 {
				t.Errorf("sent %v", m.Reports)
			}
		}
	})
}

func TestFloodOfLogsWaitsForTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		piece := make([]byte, wire.BatchSize/4)
		queued := 0
		done := make(chan error)
		go func() {
			for {
				if err := o.log(1, int64(queued*len(piece)), piece); err != nil {
					done <- err
					return
				}
				queued++
			}
		}()
		synctest.Wait()
		if queued != 4 {
			t.Fatalf("%d pieces are queued, 4 fill a batch", queued)
		}
		if m := o.take(); len(m.Logs) != 4 || m.Logs[3].Offset != int64(3*len(piece)) {
			t.Errorf("took %d", len(m.Logs))
		}
		synctest.Wait()
		if queued != 8 {
			t.Errorf("%d pieces were queued after the first batch was taken", queued)
		}
		o.close()
		if err := <-done; !errors.Is(err, errDisconnected) {
			t.Errorf("got %v", err)
		}
	})
}
