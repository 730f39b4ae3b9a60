package period

// Due returns the instant at which the run of p is created, which is never before p's end: for an hour that many minutes
// after it; for a day at the clock time of the day on which it ends; for a week at the first such weekday and time after it;
// for a month on that day of the following month, or on its last day when it is shorter. Cron, once and on-demand periods are
// due when they end.
func (s *Schedule) Due(p Period) Instant {
	var d day
	switch p.Kind {
	case Hour:
		return p.End + Instant(s.at.clock)*second
	case Day:
		d = s.zone.day(p.End)
	case Week:
		d = s.zone.day(p.End)
		weekday := day(floorMod(int64(d)+3, 7)) // days after Monday
		d += day(floorMod(int64(day(s.at.day)-weekday), 7))
	case Month:
		first := s.zone.day(p.End)
		year, month, _ := first.time().Date()
		d = first + day(min(s.at.day, daysIn(year, int(month)))-1)
	default:
		return p.End
	}
	return max(p.End, s.zone.resolve(d.wall()+wall(s.at.clock)))
}

// FirstDueAfter returns the existing period with the smallest Due > t.
func (s *Schedule) FirstDueAfter(t Instant) (Period, bool) {
	p, ok := s.after(t)
	if !ok {
		// The last periods have ended but may not be due yet.
		p, ok = s.before(t)
		if !ok || s.Due(p) <= t {
			return Period{}, false
		}
	}
	// A period is due after it ended, so one that ended by t may still be due after it.
	for {
		q, ok := s.before(p.End - 1)
		if !ok || s.Due(q) <= t {
			return p, true
		}
		p = q
	}
}
