package cli

import (
	"strings"
	"time"
)

// keyValues reads the values of a repeated KEY=VALUE flag.
func keyValues(flag string, pairs []string) (map[string]string, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		k, v, ok := strings.Cut(p, "=")
		if !ok || k == "" {
			return nil, usagef("%s %q: write KEY=VALUE", flag, p)
		}
		if _, twice := m[k]; twice {
			return nil, usagef("%s %s is given twice", flag, k)
		}
		m[k] = v
	}
	return m, nil
}

// seconds shows a duration of the API.
func seconds(s float64) string { return duration(time.Duration(s * float64(time.Second))) }
