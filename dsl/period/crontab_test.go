package period

import (
	"strconv"
	"strings"
	"time"
)

// crontab is an expression read as crontab(5) tells, one value at a time.
type crontab struct {
	minute, hour, dom, month, dow [60]bool
	eitherDay                     bool // both day fields are set
}

func readCrontab(text string) *crontab {
	f := strings.Fields(text)
	c := &crontab{
		minute: crontabField(f[0], 0, 59), hour: crontabField(f[1], 0, 23),
		dom: crontabField(f[2], 1, 31), month: crontabField(f[3], 1, 12, months...), dow: crontabField(f[4], 0, 7, weekdays...),
		eitherDay: f[2] != "*" && f[4] != "*",
	}
	c.dow[0] = c.dow[0] || c.dow[7]
	return c
}

func (c *crontab) day(w time.Time) bool {
	dom, dow := c.dom[w.Day()], c.dow[w.Weekday()]
	return c.month[w.Month()] && (dom && dow || c.eitherDay && (dom || dow))
}

func (c *crontab) matches(w time.Time) bool {
	return c.minute[w.Minute()] && c.hour[w.Hour()] && c.day(w)
}

var (
	months   = []string{"", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

// crontabField reads lists of *, a and a-b, each with or without /n; a/n runs from a to the highest value.
func crontabField(text string, lowest, highest int, names ...string) (set [60]bool) {
	value := func(s string) int {
		for i, name := range names {
			if name != "" && strings.EqualFold(s, name) {
				return i
			}
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < lowest || n > highest {
			panic(text + " holds " + s)
		}
		return n
	}
	for part := range strings.SplitSeq(text, ",") {
		span, step, stepped := strings.Cut(part, "/")
		from, to, ranged := strings.Cut(span, "-")
		first, last, by := lowest, highest, 1
		if from != "*" {
			first = value(from)
			if !stepped {
				last = first
			}
		}
		if ranged {
			last = value(to)
		}
		if stepped {
			by, _ = strconv.Atoi(step)
		}
		for i := first; i <= last; i += by {
			set[i] = true
		}
	}
	return set
}
