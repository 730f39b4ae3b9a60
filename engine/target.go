package engine

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Target names flows, tasks, runs or task runs: flow[/task][@period[..period]][#version]. It is the one grammar of the command
// line and the API. Whether what it names exists is not its matter.
type Target struct {
	Flow string
	Task string // empty = all tasks
	// From is a period label, or a date, which means every period that begins on it in the flow's zone. Empty = no period named.
	From string
	// To ends an inclusive range that From begins. Empty = From alone.
	To      string
	Version int // 0 = the highest
}

// maxName is how long a flow or task name may be, in bytes. DESIGN section 4 has the rule for names.
const maxName = 200

// maxLabel bounds a period label; the longest real one is an instant with microseconds and offset.
const maxLabel = 64

const targetForm = "flow[/task][@period[..period]][#version]"

// ParseTarget reads a target. Its errors are *Error of class Invalid and quote the part that is wrong.
func ParseTarget(s string) (Target, error) {
	t, err := parseTarget(s)
	if err != nil {
		return Target{}, Errorf(Invalid, "target %q: %v; write %s, e.g. warehouse.orders/load@2026-11-19", s, err, targetForm)
	}
	return t, nil
}

func parseTarget(s string) (Target, error) {
	var t Target
	rest, version, versioned := strings.Cut(s, "#")
	if versioned {
		n, err := strconv.Atoi(version)
		if err != nil || n < 1 || version[0] == '+' || version[0] == '0' {
			return t, fmt.Errorf("version %q is not a number from 1", version)
		}
		t.Version = n
	}
	rest, periods, dated := strings.Cut(rest, "@")
	if dated {
		from, to, ranged := strings.Cut(periods, "..")
		if err := checkLabel(from); err != nil {
			return t, err
		}
		if ranged {
			if err := checkLabel(to); err != nil {
				return t, err
			}
		}
		t.From, t.To = from, to
	}
	flow, task, tasked := strings.Cut(rest, "/")
	if err := checkName("flow", flow); err != nil {
		return t, err
	}
	if tasked {
		base, key, expanded := strings.Cut(task, ":")
		if err := checkName("task", base); err != nil {
			return t, err
		}
		if expanded && !printable(key) {
			return t, fmt.Errorf("%q is no matrix value", key)
		}
		if len(task) > 2*maxName {
			return t, errors.New("the task name is too long")
		}
	}
	t.Flow, t.Task = flow, task
	return t, nil
}

// checkName tells what is wrong with a name. A task that a matrix expanded has more behind its name, from a colon on.
func checkName(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("the %s is missing", what)
	case len(s) > maxName:
		return fmt.Errorf("the %s name is longer than %d characters", what, maxName)
	case s[0] == '.' || s[0] == '-':
		return fmt.Errorf("%s name %q begins with %q", what, s, s[:1])
	}
	for _, r := range s {
		if !letter(r) && r != '.' && r != '-' {
			return fmt.Errorf("%s name %q holds %q", what, s, r)
		}
	}
	return nil
}

// checkLabel refuses what can be no label of any schedule: 2026-11-19T13:15+08:00 is a long one.
func checkLabel(s string) error {
	switch {
	case s == "":
		return errors.New("the period is missing")
	case len(s) > maxLabel:
		return errors.New("the period is too long")
	case strings.Contains(s, ".."):
		return fmt.Errorf("period %q has more than one range", s)
	}
	for _, r := range s {
		if !letter(r) && !strings.ContainsRune("-:+.", r) {
			return fmt.Errorf("period %q holds %q", s, r)
		}
	}
	if s[0] == '.' || s[len(s)-1] == '.' {
		return fmt.Errorf("period %q begins or ends with a dot", s)
	}
	return nil
}

func letter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
}

func printable(s string) bool {
	for _, r := range s {
		if r <= ' ' || r == 0x7f || r == '@' || r == '\ufffd' {
			return false
		}
	}
	return s != ""
}

// String writes the target as ParseTarget reads it.
func (t Target) String() string {
	var b strings.Builder
	b.WriteString(t.Flow)
	if t.Task != "" {
		b.WriteString("/" + t.Task)
	}
	if t.From != "" {
		b.WriteString("@" + t.From)
	}
	if t.To != "" {
		b.WriteString(".." + t.To)
	}
	if t.Version != 0 {
		b.WriteString("#" + strconv.Itoa(t.Version))
	}
	return b.String()
}
