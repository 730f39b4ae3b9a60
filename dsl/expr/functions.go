package expr

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"flowctl/dsl/flow"
)

// maxText bounds every text that an expression makes.
const maxText = 1 << 20

var (
	errNothing = errors.New("there is no value (nil): a parameter, output or label of that name does not exist")
	errTooLong = fmt.Errorf("the text grows over %d bytes", maxText)
)

// text prints a value.
func text(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", errNothing
	case string:
		if len(v) > maxText {
			return "", errTooLong
		}
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case float64:
		if !finite(v) {
			return "", errors.New("the number is not finite (a division by zero?)")
		}
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	case time.Duration:
		return v.String(), nil
	}
	return "", fmt.Errorf("a %T is no text; name one of its values", v)
}

func finite(f float64) bool { return !math.IsInf(f, 0) && !math.IsNaN(f) }

func (v *Values) quote(x any) (string, error) {
	s, err := text(x)
	if err != nil {
		return "", err
	}
	if v.Quote == nil {
		return "", errors.New("quote() is not available for this runner")
	}
	return v.Quote(s), nil
}

// secretOf is secret(): its value is known on the agent alone, which puts it in the place of the mark.
func secretOf(name string) string { return flow.SecretMark(name) }

// textFunc gives outputs as text, where they are compared with text.
func textFunc(args ...any) (any, error) { return text(args[0]) }

func dateFunc(args ...any) (any, error) {
	t, err := timeOf(args[0])
	if err != nil {
		return nil, err
	}
	return strftime(t, args[1].(string))
}

func shiftFunc(args ...any) (any, error) {
	t, err := timeOf(args[0])
	if err != nil {
		return nil, err
	}
	return shift(t, args[1].(string))
}

func replaceFunc(args ...any) (any, error) {
	s, from, to := args[0].(string), args[1].(string), args[2].(string)
	if len(s)+strings.Count(s, from)*(len(to)-len(from)) > maxText {
		return nil, errTooLong
	}
	return strings.ReplaceAll(s, from, to), nil
}

// timeOf accepts times, and dates as ds gives them.
func timeOf(x any) (time.Time, error) {
	switch x := x.(type) {
	case time.Time:
		return x, nil
	case string:
		for _, layout := range []string{time.DateOnly, time.RFC3339Nano, "20060102"} {
			if t, err := time.Parse(layout, x); err == nil {
				return t, nil
			}
		}
		return time.Time{}, fmt.Errorf("%.40q is no time; use period.start, or a date such as ds", x)
	}
	return time.Time{}, fmt.Errorf("a %T is no time; use period.start, or a date such as ds", x)
}

// strftime prints t as the format says; the directives are those of C's strftime that need no locale.
func strftime(t time.Time, format string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		i++
		if i == len(format) {
			return "", errors.New("the format ends in %; write %% for a percent sign")
		}
		s, ok := directive(t, format[i])
		if !ok {
			return "", fmt.Errorf("the format has %%%c, which is not known; known are %%Y %%y %%m %%d %%H %%M %%S %%f %%j %%a %%A %%b %%B %%u %%V %%G %%F %%T %%s %%z %%%%", format[i])
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func directive(t time.Time, c byte) (string, bool) {
	switch c {
	case '%':
		return "%", true
	case 'j':
		return fmt.Sprintf("%03d", t.YearDay()), true
	case 'u':
		return strconv.Itoa(int(t.Weekday()+6)%7 + 1), true
	case 'V':
		_, week := t.ISOWeek()
		return fmt.Sprintf("%02d", week), true
	case 'G':
		year, _ := t.ISOWeek()
		return fmt.Sprintf("%04d", year), true
	case 's':
		return strconv.FormatInt(t.Unix(), 10), true
	case 'f':
		return fmt.Sprintf("%06d", t.Nanosecond()/1000), true
	}
	layout, ok := map[byte]string{
		'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'a': "Mon", 'A': "Monday",
		'b': "Jan", 'B': "January", 'F': time.DateOnly, 'T': time.TimeOnly, 'z': "-0700",
	}[c]
	return t.Format(layout), ok
}

// shift moves t by a sum of units: weeks and days of the calendar (the clock stays, also over a change of the offset), then
// hours, minutes and seconds of elapsed time.
func shift(t time.Time, by string) (time.Time, error) {
	bad := fmt.Errorf("%.40q is no shift; write it as -1d, 2w or 1h30m", by)
	rest, sign := by, 1
	if s, ok := strings.CutPrefix(rest, "-"); ok {
		rest, sign = s, -1
	}
	if rest == "" {
		return t, bad
	}
	days, elapsed := 0, time.Duration(0)
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.Atoi(rest[:digits])
		if err != nil || digits == len(rest) || n > 1e6 {
			return t, bad
		}
		switch rest[digits] {
		case 'w':
			days += 7 * n
		case 'd':
			days += n
		case 'h':
			elapsed += time.Duration(n) * time.Hour
		case 'm':
			elapsed += time.Duration(n) * time.Minute
		case 's':
			elapsed += time.Duration(n) * time.Second
		default:
			return t, bad
		}
		rest = rest[digits+1:]
	}
	return t.AddDate(0, 0, sign*days).Add(time.Duration(sign) * elapsed), nil
}
