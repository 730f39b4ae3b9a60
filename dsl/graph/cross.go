package graph

import (
	"cmp"
	"slices"
)

// order sorts the columns so that few edges cross: each in turn by the middle of its neighbours, back and forth. The best order wins.
func (l *layout) order() {
	l.number()
	best, fewest := l.snapshot(), l.crossings()
	for i := range sweeps {
		if fewest == 0 {
			break
		}
		forward := i%2 == 0
		for k := range l.columns {
			c := k
			if !forward {
				c = len(l.columns) - 1 - k
			}
			middles := make(map[*spot]float64, len(l.columns[c]))
			for _, s := range l.columns[c] {
				middles[s] = s.middle(forward)
			}
			slices.SortStableFunc(l.columns[c], func(a, b *spot) int { return cmp.Compare(middles[a], middles[b]) })
			for at, s := range l.columns[c] {
				s.at = at
			}
		}
		if n := l.crossings(); n < fewest {
			best, fewest = l.snapshot(), n
		}
	}
	l.columns = best
	l.number()
}

func (l *layout) number() {
	for _, column := range l.columns {
		for at, s := range column {
			s.at = at
		}
	}
}

func (l *layout) snapshot() [][]*spot {
	copied := make([][]*spot, len(l.columns))
	for i, c := range l.columns {
		copied[i] = slices.Clone(c)
	}
	return copied
}

// middle is the median place of the neighbours on one side; a spot without any stays where it is.
func (s *spot) middle(left bool) float64 {
	near := s.right
	if left {
		near = s.left
	}
	if len(near) == 0 {
		return float64(s.at)
	}
	at := make([]int, len(near))
	for i, n := range near {
		at[i] = n.at
	}
	slices.Sort(at)
	half := len(at) / 2
	if len(at)%2 == 1 {
		return float64(at[half])
	}
	return float64(at[half-1]+at[half]) / 2
}

// crossings counts the pairs of edges that cross, with a tree of sums over each column.
func (l *layout) crossings() int {
	total := 0
	for c, column := range l.columns {
		if c == 0 {
			continue
		}
		sums := make([]int, len(l.columns[c-1])+1)
		seen := 0
		for _, s := range column {
			for _, n := range s.left {
				upTo := 0
				for i := n.at + 1; i > 0; i -= i & -i {
					upTo += sums[i]
				}
				total += seen - upTo
			}
			for _, n := range s.left {
				for i := n.at + 1; i < len(sums); i += i & -i {
					sums[i]++
				}
			}
			seen += len(s.left)
		}
	}
	return total
}
