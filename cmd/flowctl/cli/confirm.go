package cli

import (
	"bufio"
	"fmt"
	"strings"
)

// confirm asks before something is done to more runs than a limit; where nobody can answer it refuses. The texts are "This creates" and
// "created" or the like.
func confirm(g *globals, n, limit int, does, done string) error {
	if n <= limit {
		return nil
	}
	_, in := terminal(g.in)
	_, out := terminal(g.err)
	if !in || !out {
		return usagef("t%s %d runs; give --yes if that is meant, or --dry-run to see them", does[1:], n)
	}
	fmt.Fprintf(g.err, "%s %d runs. Go on? [y/N] ", does, n)
	answer, _ := bufio.NewReader(g.in).ReadString('\n') // no answer is no
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return &exitError{exitProblems, fmt.Errorf("nothing was %s", done)}
	}
	return nil
}
