package graph

// align moves spots to the height of their neighbours, as far as those of their column leave room.
func (l *layout) align() {
	for _, column := range l.columns {
		spread(column, make([]float64, len(column)))
	}
	for i := range sweeps {
		forward := i%2 == 0
		for k := range l.columns {
			c := k
			if !forward {
				c = len(l.columns) - 1 - k
			}
			wanted := make([]float64, len(l.columns[c]))
			for at, s := range l.columns[c] {
				wanted[at] = s.wants(forward)
			}
			spread(l.columns[c], wanted)
		}
	}
}

// wants is the mean height of the neighbours; those on the side that was placed before count more.
func (s *spot) wants(left bool) float64 {
	sum, weight := 0.0, 0.0
	add := func(near []*spot, w float64) {
		for _, n := range near {
			sum += w * n.y
			weight += w
		}
	}
	const near, far = 1, 0.2
	if left {
		add(s.left, near)
		add(s.right, far)
	} else {
		add(s.left, far)
		add(s.right, near)
	}
	if weight == 0 {
		return s.y
	}
	return sum / weight
}

// spread places the spots of a column as near to where they are wanted as their distances allow, in the least squares: neighbours that
// would overlap form a block, which stands at the mean of what its members want.
func spread(column []*spot, wanted []float64) {
	type block struct {
		first, n int
		sum      float64 // of what is wanted of the first
	}
	offset := make([]float64, len(column))
	for i := 1; i < len(column); i++ {
		gap := boxGap
		if column[i].node < 0 || column[i-1].node < 0 {
			gap = laneGap
		}
		offset[i] = offset[i-1] + column[i-1].half() + column[i].half() + gap
	}
	var blocks []block
	for i := range column {
		b := block{i, 1, wanted[i] - offset[i]}
		for len(blocks) > 0 {
			last := blocks[len(blocks)-1]
			if last.sum/float64(last.n) <= b.sum/float64(b.n) {
				break
			}
			b = block{last.first, last.n + b.n, last.sum + b.sum}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		for i := b.first; i < b.first+b.n; i++ {
			column[i].y = b.sum/float64(b.n) + offset[i]
		}
	}
}
