package format

import "slices"

// Order returns the keys of the mapping at a path of keys in their canonical order, or nil when they keep the one they have. Keys are
// those that the mapping has.
type Order func(path, keys []string) []string

// apply puts the keys of a value, and of all below it, into their order.
func (order Order) apply(v *value, path []string) {
	switch {
	case v.kind == bracket && !v.rigid:
		order.applyFlow(v.flow, path)
	case v.kind == list:
		for _, e := range v.entries {
			order.apply(e.value, append(path[:len(path):len(path)], "-"))
		}
	case v.kind == mapping:
		keys := make([]string, len(v.entries))
		for i, e := range v.entries {
			keys[i] = name(e.key)
			order.apply(e.value, append(path[:len(path):len(path)], keys[i]))
		}
		ranks := order.ranks(path, keys)
		if ranks == nil || v.refers() {
			return
		}
		head := header(v.entries[0], len(path) == 0)
		sortBy(v.entries, ranks, func(e *entry) string { return name(e.key) })
		first := v.entries[0]
		for len(first.above) > 0 && first.above[0] == "" {
			first.above = first.above[1:]
		}
		first.above = append(head, first.above...)
	}
}

// header takes the comments that stand above a document as a whole: those above its first key that a blank line separates from it.
func header(first *entry, top bool) []string {
	i := len(first.above)
	for i > 0 && first.above[i-1] != "" {
		i--
	}
	if !top || i == 0 {
		return nil
	}
	head := first.above[:i:i]
	first.above = first.above[i:]
	return head
}

func (order Order) applyFlow(n *flowNode, path []string) {
	keys := make([]string, len(n.items))
	for i, item := range n.items {
		keys[i] = "-"
		if n.open == '{' {
			keys[i] = name(item.key)
		}
		order.applyFlow(item.value, append(path[:len(path):len(path)], keys[i]))
	}
	if n.open != '{' {
		return
	}
	if ranks := order.ranks(path, keys); ranks != nil && !n.refers() {
		sortBy(n.items, ranks, func(i flowItem) string { return name(i.key) })
	}
}

// ranks returns the place of each key; nil when there is no order or a key comes twice.
func (order Order) ranks(path, keys []string) map[string]int {
	sorted := order(path, keys)
	if sorted == nil {
		return nil
	}
	ranks := make(map[string]int, len(keys))
	for _, k := range keys {
		if _, twice := ranks[k]; twice {
			return nil
		}
		ranks[k] = slices.Index(sorted, k)
		if ranks[k] < 0 {
			ranks[k] = len(sorted)
		}
	}
	return ranks
}

func sortBy[T any](items []T, ranks map[string]int, key func(T) string) {
	slices.SortStableFunc(items, func(a, b T) int { return ranks[key(a)] - ranks[key(b)] })
}

// name returns a key without its quotes.
func name(key string) string {
	if n := len(key); n > 1 && (key[0] == '"' || key[0] == '\'') && key[n-1] == key[0] {
		return key[1 : n-1]
	}
	return key
}
