package period

// Clash is a clock time at which a schedule is due and which the local clock does not show, or shows twice.
type Clash struct {
	Clock string // 2026-03-29T02:30
	Twice bool   // else it is skipped
}

// Clashes lists the clock times, within some years of the schedule's zone, at which it is due and clocks are changed; one for each
// change. What does not name clock times has none: hours, and crons that name every hour.
func (s *Schedule) Clashes(firstYear, lastYear int) (found []Clash) {
	if s.kind == Demand || s.kind == Hour || s.kind == Cron && s.cron.everyHour {
		return nil
	}
	from, to := s.zone.first(wallOf(firstYear, 1, 1)), s.zone.first(wallOf(lastYear+1, 1, 1))
	last := s.zone.at(floorDiv(int64(to), second))
	for i := s.zone.at(floorDiv(int64(from), second)) + 1; i <= last; i++ {
		change, before := s.zone.segments[i], s.zone.segments[i-1].offset
		early, late := wall(change.start+before), wall(change.start+change.offset)
		if w, ok := s.dueAt(min(early, late), max(early, late)); ok {
			found = append(found, Clash{w.time().Format("2006-01-02T15:04"), late < early})
		}
	}
	return found
}

// dueAt returns the first clock time of [from, to), less than a day, that the schedule names and at which it is due.
func (s *Schedule) dueAt(from, to wall) (wall, bool) {
	for w, ok := s.clockFrom(from); ok && w < to; w, ok = s.clockFrom(w + 1) {
		due := s.zone.resolve(w)
		if p, ok := s.FirstDueAfter(due - 1); ok && s.Due(p) == due {
			return w, true
		}
	}
	return 0, false
}

// clockFrom returns the first clock time at or after w that the schedule names, whether it has a period then or not.
func (s *Schedule) clockFrom(w wall) (wall, bool) {
	switch s.kind {
	case Cron:
		return s.cron.next(w)
	case Once:
		once, err := parseClock(s.spec.Once)
		return once, err == nil && once >= w
	}
	at := w.day().wall() + wall(s.at.clock)
	if at < w {
		at += daySeconds
	}
	return at, true
}

// Empty tells whether the schedule has no period at all, ever. A schedule on demand is not empty.
func (s *Schedule) Empty() bool {
	_, ok := s.after(earliest)
	return !ok && s.kind != Demand
}
