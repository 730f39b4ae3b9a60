package diag

import "strings"

// maxQuote is the longest line that is quoted, in bytes: generated files may hold a whole document on one line, and a problem for
// each word of it.
const maxQuote = 1000

// Quote fills in the lines that diagnostics are about, from the contents of their files; nil is a file that is not known. A
// line that holds a secret is not quoted, whatever else is wrong with it. The list is sorted by file.
func Quote(list []Diagnostic, content func(file string) []byte) {
	type place struct {
		file string
		line int
	}
	secret := make(map[place]bool)
	for _, d := range list {
		if d.Rule == SecretInPlainText {
			secret[place{d.File, d.Line}] = true
		}
	}
	file := ""
	var lines []string
	for i := range list {
		d := &list[i]
		if d.File != file || lines == nil {
			file, lines = d.File, linesOf(content(d.File))
		}
		if 0 < d.Line && d.Line <= len(lines) && len(lines[d.Line-1]) <= maxQuote && !secret[place{d.File, d.Line}] {
			d.Source = lines[d.Line-1]
		}
	}
}

func linesOf(content []byte) []string {
	text := strings.TrimPrefix(string(content), "\ufeff")
	return strings.Split(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n")
}
