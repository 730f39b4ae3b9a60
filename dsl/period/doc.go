// Package period is the arithmetic of schedules: which periods exist, when their runs are due, what they are called, and
// which upstream periods a run needs. It is pure: no clock, no I/O, the same answers on every machine ([Zone] knows the
// embedded tz database alone).
//
// A [Schedule] is made from a [Spec] by [New], or by a [Cache] when thousands of flows share a few schedules. It knows the
// instants at which its zone changes its offset and works on plain numbers, so that most questions cost tens of nanoseconds.
//
// Two primitives carry everything else: the first existing period that ends after an instant, and the last one that ended
// by it. A period exists when it begins on a day of the calendar, not before `start`, and before `end`.
//
// # Decisions where clocks are changed
//
//   - Hours are cut where the offset changes within them, so hours tile time in every zone: the repeated hour is two
//     periods, and a half-hour change makes an hour of 30 minutes.
//   - A day, week or month begins at the first instant at which the local date is reached: 01:00 where midnight is skipped.
//     A date that a zone skipped altogether is no period.
//   - A clock time (`at`, `once`, `start`, fixed-hour crons) that does not exist is read with the offset before the change, so
//     02:30 becomes 03:30; one that exists twice means the first. These are the rules of RFC 5545 and java.time.
//   - A cron that names every hour follows elapsed time: it fires whenever the local clock matches, in both of the repeated
//     hours and in none of the skipped ones. Any other cron names clock times: each fires once a day.
//
// # Labels
//
// A label names a span of local time: an hour, a date, an ISO week, a month, or an instant. Reading a label gives the
// periods that begin within the span, so the label of a period gives that period, and a date gives an hourly flow 24 periods
// and a weekly flow one or none. A cron period begins, for this purpose and for `start`, `end` and StartingIn, at its fire
// time: the fire of 2026-11-19T00:00 belongs to 2026-11-19, though its gap began the day before.
//
// Periods begin between the years 1900 and 2200; instants outside have none.
package period
