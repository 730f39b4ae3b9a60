package expr

import (
	"strconv"
	"strings"
)

// Quoter returns the function that quotes text for the language of a runner, so that it is one word or one literal
// there; nil when the runner has no such language.
func Quoter(runner string) func(string) string {
	switch runner {
	case "shell", "ssh":
		return quoteShell
	case "python":
		return quotePython
	}
	return nil
}

// quoteShell makes one word of a POSIX shell: nothing within single quotes is special but the quote itself.
func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// quotePython makes a string literal. Go's escapes for ASCII are Python's too.
func quotePython(s string) string { return strconv.QuoteToASCII(s) }
