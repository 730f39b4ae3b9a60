package flow

import "strings"

// The marks of a secret. NUL can stand in no environment, argument or YAML document, so nothing else looks like one.
const (
	secretOpen  = "\x00secret:"
	secretClose = "\x00"
)

// SecretMark is what stands in evaluated texts for the value of a secret, until Reveal puts that there.
func SecretMark(name string) string { return secretOpen + name + secretClose }

// SecretsIn lists the names in the marks of a text, in their order.
func SecretsIn(text string) (names []string) {
	if strings.Contains(text, secretOpen) { // few do
		_, _ = Reveal(text, func(name string) (string, error) {
			names = append(names, name)
			return "", nil
		})
	}
	return names
}

// Reveal replaces the marks in a text by what lookup gives for their names. The error is the first of lookup's.
func Reveal(text string, lookup func(name string) (string, error)) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, secretOpen)
		name, after, closed := strings.Cut(rest, secretClose)
		if !found || !closed {
			b.WriteString(text)
			return b.String(), nil
		}
		value, err := lookup(name)
		if err != nil {
			return "", err
		}
		b.WriteString(before)
		b.WriteString(value)
		text = after
	}
}
