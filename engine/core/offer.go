package core

import (
	"slices"
	"strings"
)

// Offer is what an agent has that tasks can ask for.
type Offer struct {
	Labels []string
}

// lacks returns the labels of a selector that are not offered.
func (o *Offer) lacks(selector []string) []string {
	var lacks []string
	for _, want := range selector {
		if !slices.Contains(o.Labels, want) {
			lacks = append(lacks, want)
		}
	}
	return lacks
}

// Mismatch says why a task with a selector can never be given to the agent; empty = it can.
func (o *Offer) Mismatch(selector []string) string {
	if lacks := o.lacks(selector); len(lacks) > 0 {
		return "lacks " + strings.Join(lacks, ", ")
	}
	return ""
}
