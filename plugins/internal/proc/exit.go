package proc

import "time"

// Exit is how a process ended.
type Exit struct {
	Code   int // -1 when a signal ended it
	Signal int // 0 when it ended by itself
	MaxRSS int64
	CPU    time.Duration // user and system, with the children that it waited for
	// Read and Written are the bytes that came from disks and went to them, of the same processes. What the page cache held is not among them.
	Read, Written int64
}
