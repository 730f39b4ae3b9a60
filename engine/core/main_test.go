package core

import (
	"flag"
	"os"
	"testing"
)

// TestMain fixes the seed of property tests, so that a run of the tests says something about a change and not about luck. To look
// for new findings, name another: go test ./engine/core -run Invariants -rapid.seed N -rapid.checks 1000.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.seed"); f.Value.String() == "0" {
		if err := f.Value.Set("5"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
