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
	case "hive":
		return quoteHive
	}
	return nil
}

// quoteShell makes one word of a POSIX shell: nothing within single quotes is special but the quote itself.
func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// quotePython makes a string literal. Go's escapes for ASCII are Python's too.
func quotePython(s string) string { return strconv.QuoteToASCII(s) }

// quoteHive makes a string literal of HiveQL. Hive replaces ${…} in literals, too, before it reads them: the $ is written as an escape.
func quoteHive(s string) string { return "'" + hiveEscapes.Replace(s) + "'" }

var hiveEscapes = strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`, "\r", `\r`, "\x00", `\u0000`, "${", `\u0024{`)
