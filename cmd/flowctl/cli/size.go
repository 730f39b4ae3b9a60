package cli

import (
	"fmt"

	"github.com/dustin/go-humanize"
)

// byteSize is a flag for an amount of bytes: 64MiB, 1GB, 0.
type byteSize struct{ bytes int64 }

// defaultMaxLog is how long a log gets unless somebody says otherwise.
var defaultMaxLog = byteSize{64 << 20}

// String implements pflag.Value.
func (s *byteSize) String() string {
	if s.bytes == 0 {
		return "0"
	}
	return humanize.IBytes(uint64(s.bytes))
}

// Set implements pflag.Value.
func (s *byteSize) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n > 1<<60 {
		return fmt.Errorf("%q is no size: write a number and a unit, such as 64MiB", text)
	}
	s.bytes = int64(n)
	return nil
}

// Type implements pflag.Value.
func (s *byteSize) Type() string { return "size" }
