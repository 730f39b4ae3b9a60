package proc

import "time"

// Exit is how a process ended.
type Exit struct {
	Code   int // -1 when a signal ended it
	Signal int // 0 when it ended by itself
	MaxRSS int64
	CPU    time.Duration // user and system, with the children that it waited for
}
