package email

import (
	"crypto/sha256"
	"encoding/hex"
	"net/mail"
	"strings"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"flowctl/plugins/sdk"
)

// message writes the mail of a notification.
func (c Channel) message(s *settings, n *sdk.Notification, to *mail.Address) *gomail.Msg {
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(s.from)
	m.ToMailAddress(to)
	if s.replyTo != nil {
		m.ReplyToMailAddress(s.replyTo)
	}
	m.Subject(line(n.Subject))
	m.SetDateWithValue(c.now())
	_, domain, _ := strings.Cut(s.from.Address, "@")
	m.SetMessageIDWithValue(identity(domain, n.Key, n.Receiver.Address))
	if n.Run != "" {
		thread := "<" + identity(domain, n.Flow, n.Task, n.Run) + ">"
		m.SetGenHeader(gomail.HeaderInReplyTo, thread)
		m.SetGenHeader(gomail.HeaderReferences, thread)
	}
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834
	m.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	if n.Severity == "critical" {
		m.SetImportance(gomail.ImportanceHigh)
	}
	for _, h := range []struct {
		name  gomail.Header
		value string
	}{
		{"X-Flowctl-Key", n.Key}, {"X-Flowctl-Severity", n.Severity}, {"X-Flowctl-Event", n.Event},
		{"X-Flowctl-Flow", n.Flow}, {"X-Flowctl-Task", n.Task}, {"X-Flowctl-Run", n.Run},
	} {
		if h.value != "" {
			m.SetGenHeader(h.name, line(h.value))
		}
	}
	m.SetBodyString(gomail.TypeTextPlain, n.Text)
	if n.HTML != "" {
		m.AddAlternativeString(gomail.TypeTextHTML, n.HTML)
	}
	return m
}

// identity makes what stands in a Message-ID of parts that may hold anything.
func identity(domain string, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil)[:16]) + "@" + domain
}

// line makes one line of a text: a header that held more would begin another header.
func line(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == ' ' }), " ")
}
