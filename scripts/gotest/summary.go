package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// event is one line of `go test -json`, see `go doc test2json`.
type event struct {
	Action, Package, Test, Output string
}

// skip is a skipped test with the reason it gave.
type skip struct{ pkg, test, reason string }

// summary is what a whole `go test` came to.
type summary struct {
	passed, failed int
	skipped        []skip
}

// logPrefix is what the testing package puts before a logged line.
var logPrefix = regexp.MustCompile(`^\s+\S+\.go:\d+: `)

// read follows the events of `go test -json` and writes to w what a reader needs: the line of each package, and the
// output of what failed, or all output when verbose.
func read(r io.Reader, w io.Writer, verbose bool) (summary, error) {
	var sum summary
	pending := map[[2]string][]string{} // output of tests that have not ended, by package and test
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(w, lines.Text()) // go test says some things, such as unknown flags, outside the protocol
			continue
		}
		key := [2]string{e.Package, e.Test}
		switch e.Action {
		case "build-output":
			fmt.Fprint(w, e.Output)
		case "output":
			if verbose || e.Test == "" {
				if verbose || worthPrinting(e.Output) {
					fmt.Fprint(w, e.Output)
				}
			}
			if e.Test != "" {
				pending[key] = append(pending[key], e.Output)
			}
		case "pass":
			if e.Test != "" {
				sum.passed++
			}
			delete(pending, key)
		case "skip":
			if e.Test != "" {
				sum.skipped = append(sum.skipped, skip{e.Package, e.Test, reason(pending[key])})
			}
			delete(pending, key)
		case "fail":
			sum.fail(w, e, pending, verbose)
		}
	}
	return sum, lines.Err()
}

// fail prints what the failed test said. A package that fails may leave tests without an end (a panic, a time-out):
// what they said is printed then.
func (s *summary) fail(w io.Writer, e event, pending map[[2]string][]string, verbose bool) {
	if e.Test != "" {
		s.failed++
	}
	for key, output := range pending {
		own := key == [2]string{e.Package, e.Test}
		if !own && (e.Test != "" || key[0] != e.Package) {
			continue
		}
		if !verbose {
			fmt.Fprint(w, strings.Join(output, ""))
		}
		delete(pending, key)
	}
}

func (s summary) print(w io.Writer) {
	fmt.Fprintf(w, "\n%d tests passed, %d failed, %d skipped\n", s.passed, s.failed, len(s.skipped))
	for _, k := range s.skipped {
		fmt.Fprintf(w, "  skipped %s %s: %s\n", k.pkg, k.test, k.reason)
	}
}

// worthPrinting says whether a package's own line tells the reader anything.
func worthPrinting(line string) bool {
	return line != "PASS\n" && !strings.HasSuffix(line, "[no test files]\n") && !strings.HasPrefix(line, "coverage:")
}

// reason finds the message of t.Skip in a test's output.
func reason(output []string) string {
	for _, line := range output {
		if at := logPrefix.FindStringIndex(line); at != nil {
			return strings.TrimSpace(line[at[1]:])
		}
	}
	return "no reason given"
}
