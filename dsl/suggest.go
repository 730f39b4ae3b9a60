package dsl

import "strings"

// Suggest returns `did you mean X?` for the nearest of the known names, nothing when none is near.
func Suggest(name string, known []string) string { return suggest(name, known, "") }

// suggest returns a hint that offers the nearest of the known names. When none is near, it lists them after a lead-in,
// unless that is empty or there are too many to read.
func suggest(name string, known []string, lead string) string {
	best, distance := "", min(max(len(name)/3, 1)+1, len(name))
	for _, k := range known {
		if d := editDistance(name, k, distance); d < distance {
			best, distance = k, d
		}
	}
	switch {
	case best != "":
		return "did you mean " + best + "?"
	case lead != "" && len(known) > 0 && len(known) <= 40:
		return lead + strings.Join(known, ", ")
	}
	return ""
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours that make b of a; limit is returned for all that
// reach it.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	if len(b) > maxName {
		return limit
	}
	var rows [3][maxName + 1]int
	before, last, row := rows[0][:len(b)+1], rows[1][:len(b)+1], rows[2][:len(b)+1]
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least >= limit {
			return limit
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}
