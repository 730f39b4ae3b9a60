package process

import (
	"context"
	"fmt"
	"os"
	"time"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk"
)

// Tree is all that came of a start.
func (b Begun) Tree() proc.Tree { return proc.Tree{Leader: b.PID, Mark: Mark(b.Work)} }

// Mark is the environment entry that all processes of an attempt inherit.
func Mark(work string) string { return EnvWork + "=" + work }

// Settle records the end of a process for its dead plugin, after ending what it left behind.
// A record that is there stays.
func Settle(home string, b Begun, exit proc.Exit, reaper int) {
	var cause causeRecord
	if _, err := read(b.Work, causeFile, &cause); err != nil {
		fmt.Fprintf(os.Stderr, "settle %s: %v\n", b.Work, err)
	}
	if t := b.Tree(); t.Left(reaper, 0) {
		sweep(t, graceOf(b.Work, cause))
	}
	settle(home, b.Work, exitOf(exit))
}

// SettleUnknown records the end of a start without a process, unless its end is on record.
func SettleUnknown(home string, b Begun) {
	switch {
	case b.PID == 0:
		settle(home, b.Work, problem(sdk.CodeUnstarted, "the runner plugin died before it started the process"))
	default:
		settle(home, b.Work, problem(sdk.CodeLost, "the process %d ended and nobody saw how", b.PID))
	}
}

func settle(home, work string, e exitRecord) {
	if _, over, err := exitOn(work); err == nil && over {
		return
	}
	if _, err := os.Stat(work); err != nil {
		return // forgotten
	}
	if err := e.store(work, home); err != nil {
		fmt.Fprintf(os.Stderr, "record the end of %s: %v\n", work, err)
	}
}

// sweep ends what a tree's leader left behind: at once, or when the grace of its termination is over.
func sweep(tree proc.Tree, until int64) {
	if rest := time.Duration(until - proc.Boot()); rest > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), rest)
		defer cancel()
		if tree.Gone(ctx) {
			return
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), killTime)
	defer cancel()
	tree.Kill(ctx)
}
