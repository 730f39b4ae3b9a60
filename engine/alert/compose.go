package alert

import (
	"cmp"
	"fmt"
	"html"
	"strings"
	"time"
	"unicode/utf8"

	"flowctl/dsl/flow"
	"flowctl/engine"
	"flowctl/plugins/sdk"
)

// shortMost is how long the short text is when the channel does not say.
const shortMost = 600

// Surroundings are what a message tells besides its items.
type Surroundings struct {
	URL      string // of the server, without / at its end
	AckToken string // empty: there is nothing to acknowledge
	LogTail  string
	Zone     *time.Location // of the receiver
	Short    int            // characters; 0 = shortMost
}

// Compose writes the message of a delivery.
func Compose(v *engine.Delivery, s Surroundings) sdk.Notification {
	first := v.Items[0]
	n := sdk.Notification{
		Key: v.Key, Severity: string(v.Severity), Event: string(first.Event), Subject: clip(subjectLine(v), 200),
		Receiver: sdk.Receiver{Name: v.To.Name, Address: v.To.Address, Kind: receiverKind(v)},
		At:       first.At.Time(), Flow: first.Flow, Task: first.Task, Period: first.Period, LogTail: s.LogTail, Blockers: first.Causes,
	}
	if first.Run != 0 {
		_, period, _ := strings.Cut(first.Subject, "@")
		n.Run = first.Flow + "@" + period
		n.Link = fmt.Sprintf("%s/api/v1/runs/%d", s.URL, first.Run)
	}
	if s.AckToken != "" {
		n.AckToken, n.AckURL = s.AckToken, s.URL+"/ack/"+s.AckToken
	}
	n.Short = shortText(v, n.AckURL, cmp.Or(s.Short, shortMost))
	n.Text = longText(v, &n, s.Zone)
	n.HTML = longHTML(v, &n, s.Zone)
	return n
}

func receiverKind(v *engine.Delivery) string {
	switch {
	case v.To.Person != "":
		return sdk.ReceiverPerson
	case v.To.Kind == flow.Webhook:
		return sdk.ReceiverChannel
	}
	return sdk.ReceiverAddress
}

// subjectLine is what a message is about, in a line.
func subjectLine(v *engine.Delivery) string {
	line := fmt.Sprintf("[%s] %s", v.Severity, Headline(v))
	if v.Note != "" {
		line += ": " + v.Note
	}
	return line
}

// Headline names what a delivery tells of.
func Headline(v *engine.Delivery) string {
	first := v.Items[0]
	n := len(v.Items) + v.More
	if n == 1 {
		return happened(&first)
	}
	for _, i := range v.Items {
		if i.Event != first.Event || strings.HasPrefix(first.Subject, word(first.Event)) {
			return fmt.Sprintf("%s, and %d more", happened(&first), n-1)
		}
	}
	return fmt.Sprintf("%d %s: %s and %d more", n, word(first.Event), first.Subject, n-1)
}

// happened says what happened to what. The subject of an event of the installation says both.
func happened(i *engine.Item) string {
	if i.Event == "" || strings.HasPrefix(i.Subject, word(i.Event)) {
		return i.Subject
	}
	return i.Subject + " " + word(i.Event)
}

// word writes an event for people.
func word(e flow.Event) string { return strings.ReplaceAll(string(e), "_", " ") }

// itemLine tells one item in a line.
func itemLine(i *engine.Item) string {
	line := happened(i)
	if i.Detail != "" {
		line += ": " + i.Detail
	}
	return line
}

// shortText lists as much as fits. A single item comes with what there is to say of it.
func shortText(v *engine.Delivery, ack string, most int) string {
	if len(v.Items) == 1 && v.More == 0 {
		text := fmt.Sprintf("[%s] %s", v.Severity, itemLine(&v.Items[0]))
		if v.Note != "" {
			text += " (" + v.Note + ")"
		}
		if ack != "" && utf8.RuneCountInString(text)+utf8.RuneCountInString(ack)+6 <= most {
			text += "\nack: " + ack
		}
		return clip(text, most)
	}
	text := fmt.Sprintf("[%s] %d alerts:", v.Severity, len(v.Items)+v.More)
	left := most - utf8.RuneCountInString(text) - len(" and 1000000 more")
	for n, i := range v.Items {
		piece := " " + happened(&i)
		if n > 0 {
			piece = "," + piece
		}
		if left -= utf8.RuneCountInString(piece); left < 0 {
			return clip(text+fmt.Sprintf(" and %d more", len(v.Items)+v.More-n), most)
		}
		text += piece
	}
	if v.More > 0 {
		text += fmt.Sprintf(" and %d more", v.More)
	}
	return clip(text, most)
}

func clip(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	if most < 1 {
		return ""
	}
	return string([]rune(text)[:most-1]) + "…"
}

// section is a part of a long text.
type section struct {
	title string
	lines []string
	plain bool // lines that belong together as they are, such as a log
}

// sections are what a long text holds.
func sections(v *engine.Delivery, n *sdk.Notification, zone *time.Location) []section {
	if zone == nil {
		zone = time.UTC
	}
	var list []section
	add := func(title string, plain bool, lines ...string) {
		if len(lines) > 0 && lines[0] != "" {
			list = append(list, section{title, lines, plain})
		}
	}
	add("", false, v.Note)
	var what []string
	for i := range v.Items {
		what = append(what, itemLine(&v.Items[i])+v.Items[i].At.Time().In(zone).Format(" (2006-01-02 15:04:05 -07:00)"))
	}
	if v.More > 0 {
		what = append(what, fmt.Sprintf("and %d more", v.More))
	}
	add("What happened", false, what...)
	add("What holds it", false, n.Blockers...)
	if n.LogTail != "" {
		add("The end of its log", true, strings.Split(strings.TrimRight(n.LogTail, "\n"), "\n")...)
	}
	add("More", false, n.Link)
	add("Acknowledge", false, n.AckURL)
	add("Why you get this", false, v.Reasons...)
	return list
}

func longText(v *engine.Delivery, n *sdk.Notification, zone *time.Location) string {
	var b strings.Builder
	for i, s := range sections(v, n, zone) {
		if i > 0 {
			b.WriteByte('\n')
		}
		if s.title != "" {
			b.WriteString(s.title + ":\n")
		}
		for _, l := range s.lines {
			b.WriteString("  " + l + "\n")
		}
	}
	return b.String()
}

func longHTML(v *engine.Delivery, n *sdk.Notification, zone *time.Location) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<h3>%s</h3>\n", html.EscapeString(n.Subject))
	for _, s := range sections(v, n, zone) {
		if s.title != "" {
			fmt.Fprintf(&b, "<h4>%s</h4>\n", html.EscapeString(s.title))
		}
		if s.plain {
			fmt.Fprintf(&b, "<pre>%s</pre>\n", html.EscapeString(strings.Join(s.lines, "\n")))
			continue
		}
		b.WriteString("<ul>\n")
		for _, l := range s.lines {
			text := html.EscapeString(l)
			if l == n.Link || l == n.AckURL {
				text = fmt.Sprintf(`<a href="%s">%s</a>`, text, text)
			}
			fmt.Fprintf(&b, "<li>%s</li>\n", text)
		}
		b.WriteString("</ul>\n")
	}
	return b.String()
}
