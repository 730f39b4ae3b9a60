package cli

import (
	"context"
	"time"
)

// The time of the day, on the server's clock, at which old logs are removed (R23).
const (
	sweepHour   = 2
	sweepMinute = 10
)

// keepLogs is how long a log stays; 0 = for ever.
func (o *serverOptions) keepLogs() time.Duration {
	return time.Duration(o.keepLogDays) * 24 * time.Hour
}

// sweepLogs removes old logs daily until ctx ends.
func (s *server) sweepLogs(ctx context.Context) error {
	for {
		now := s.now()
		due := time.NewTimer(nextSweep(now).Sub(now))
		select {
		case <-due.C:
		case <-ctx.Done():
			due.Stop()
			return nil
		}
		var before time.Time
		if keep := s.keepLogs(); keep > 0 {
			before = s.now().Add(-keep)
		}
		removed, err := s.output.Sweep(before)
		if err != nil {
			s.log.Warn("old logs were not all removed", "error", err)
		}
		s.log.Info("removed old logs", "count", removed)
	}
}

// nextSweep returns the first time to sweep after now.
func nextSweep(now time.Time) time.Time {
	y, m, d := now.Date()
	next := time.Date(y, m, d, sweepHour, sweepMinute, 0, 0, now.Location())
	if !next.After(now) {
		next = time.Date(y, m, d+1, sweepHour, sweepMinute, 0, 0, now.Location())
	}
	return next
}
