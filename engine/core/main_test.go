package core

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain lets CI judge a change by one and the same set of random histories, so that a change does not fail for what another one brought.
// Everywhere else each run draws new ones, and prints the seed of one that fails; -rapid.seed repeats it.
func TestMain(m *testing.M) {
	flag.Parse()
	drawn := true
	flag.Visit(func(f *flag.Flag) { drawn = drawn && f.Name != "rapid.seed" })
	if drawn && os.Getenv("CI") != "" {
		if err := flag.Set("rapid.seed", "100"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
