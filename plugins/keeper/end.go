package keeper

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk/process"
)

// endTime is how long killed processes may take to vanish.
const endTime = 5 * time.Second

// End kills the plugin in a folder, for a host that is another user and may not: what is in the session of its keeper, which stays with the attempts.
// Whole: there are none, and the keeper ends with all that came of it.
func End(dir string, whole bool) error {
	if process.Dead(dir) {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(dir, process.KeeperLock))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("%s: %w", process.KeeperLock, err)
	}
	if whole {
		ctx, cancel := context.WithTimeout(context.Background(), endTime)
		defer cancel()
		if !(proc.Tree{Leader: pid}).Kill(ctx) {
			return fmt.Errorf("not all that came of keeper %d could be killed within %v", pid, endTime)
		}
		return nil
	}
	keeper, err := proc.ReadStat(pid)
	if err != nil {
		return err
	}
	for _, s := range proc.List() {
		if s.Session == keeper.Session && s.PID != pid {
			_ = syscall.Kill(s.PID, syscall.SIGKILL) // sudo is another's, and ends by itself
		}
	}
	return nil
}
