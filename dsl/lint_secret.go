package dsl

import (
	"regexp"
	"slices"
	"strings"

	"flowctl/dsl/diag"
)

// secretPattern finds what is a secret wherever it stands: the head of a private key, the id of an AWS access key.
var secretPattern = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`)

// secretName finds the names of what holds a secret: PGPASSWORD, api-key, accessToken; TOKEN_FILE and max_tokens are none.
var secretName = regexp.MustCompile(`(?i:password|passwd|passphrase|[_-]pwd|(?:^|[_.-])(?:secret|token|credentials?|(?:api|access|secret|private|account)[_-]?key))$|` +
	`[a-z](?:Secret|Token|Credentials?|(?:Api|API|Access|Secret|Private|Account)Key)$`)

// plainSecrets reports secrets in the text of a document. What is said never holds the secret. It reads nodes, not drafts: a secret is one also
// in a field that is refused.
func (d *decoder) plainSecrets(n *node) {
	s := secretSearch{decoder: d, marked: strings.Contains(d.src.text, "PRIVATE KEY-----") || strings.Contains(d.src.text, "AKIA") || strings.Contains(d.src.text, "ASIA")}
	s.node(n, "", false)
}

// secretSearch walks through a document.
type secretSearch struct {
	*decoder
	marked bool // the text holds the marks of secretPattern
}

// settingsFields hold names and values that tasks and plugins read.
func settingsFields() []string { return []string{"env", "with", "args", "params"} }

// node looks at a value, with the key before it; setting says that it belongs to one of settingsFields.
func (s *secretSearch) node(n *node, key string, setting bool) {
	switch n.kind {
	case mappingNode:
		for _, p := range n.pairs {
			if key == "templates" && !setting {
				s.template(p.value)
				continue
			}
			s.node(p.value, p.key.text, setting || slices.Contains(settingsFields(), p.key.text))
		}
	case listNode:
		for _, item := range n.items {
			s.node(item, "", setting)
		}
	case scalarNode:
		if s.marked {
			for _, at := range secretPattern.FindAllStringIndex(n.text, -1) {
				what := "an access key"
				if strings.HasPrefix(n.text[at[0]:], "-") {
					what = "a private key"
				}
				place := s.src.cursor(n).place(at[0])
				s.findings = append(s.findings, warningAt(place, diag.SecretInPlainText, plainSecretHint, what+" stands in plain text"))
			}
		}
		if setting && n.typ != nullScalar && n.typ != boolScalar {
			s.value(n, key)
		}
	}
}

// template looks at a task skeleton, whose params are types, not values.
func (s *secretSearch) template(n *node) {
	for _, p := range n.pairs {
		if p.key.text != "params" {
			s.node(p.value, p.key.text, slices.Contains(settingsFields(), p.key.text))
		}
	}
}

// value looks at a setting; one without key may be an argument such as --password=….
func (s *secretSearch) value(n *node, key string) {
	text := n.text
	if key == "" && strings.HasPrefix(text, "-") {
		key, text, _ = strings.Cut(strings.TrimLeft(text, "-"), "=")
	}
	if isSecret(text) && secretName.MatchString(key) {
		s.findings = append(s.findings, warningAt(s.src.pos(n), diag.SecretInPlainText, plainSecretHint, "the value of "+key+" stands in plain text"))
	}
}

const plainSecretHint = "replace it wherever it is used, since it is in the history, and name it: ${{ secret('name') }}"

// isSecret tells whether a text may be the value of a secret: not nothing, not an expression or a variable, not the path of a file that holds it.
func isSecret(text string) bool {
	return text != "" && !strings.Contains(text, "${{") && text[0] != '$' && text[0] != '/' && !strings.HasPrefix(text, "./") && !strings.HasPrefix(text, "~/")
}
