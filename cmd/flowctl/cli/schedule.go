package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// maxFires is how many fire times are shown at once.
const maxFires = 1000

// fires is what `schedule` shows.
type fires struct {
	Items []fire  `json:"items"`
	Next  *string `json:"next"` // --from of what follows; null = nothing does, until --to
}

type fire struct {
	Period   string          `json:"period"`
	Start    time.Time       `json:"start"`
	End      time.Time       `json:"end"`
	Due      time.Time       `json:"due"`
	DueLocal string          `json:"due_local"` // on the clock of the schedule's zone, with its offset
	Remarks  []period.Remark `json:"remarks"`
}

func newSchedule(g *globals) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "schedule FLOW [PATH]",
		Short: "List when a flow fires, without a server",
		Long: `List when a flow fires, without a server: each period whose run is due from one date to another, both included, with a remark
where clocks are changed or a calendar leaves days out.

PATH is a flows root or anything inside one; without it, the current folder. Dates are those of the schedule's zone; labels of
periods and times such as 2026-11-20T10:00 do as well. Without --to the list ends after a week, for flows that fire about once
a day after a month, for longer periods after a year.

At most 1,000 fire times are shown; the last line, and next in JSON, tell how to go on.`,
		Example: `  flowctl schedule warehouse.sales
  flowctl schedule warehouse.sales flows --from 2026-03-01 --to 2026-03-31
  flowctl schedule shop.orders --from 2026-10-25 -o json | jq '.items[] | select(.remarks != [])'`,
		Args: argsAs(cobra.RangeArgs(1, 2)),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := g.checkOutput(); err != nil {
				return err
			}
			path := "."
			if len(args) == 2 {
				path = args[1]
			}
			repo, err := compileRoot(g.streams, path)
			if err != nil {
				return err
			}
			f := repo.project.Flow(args[0])
			if f == nil {
				return unknown("flow", args[0], flowNames(repo.project))
			}
			first, last, err := span(f.Schedule, g.now(), from, to)
			if err != nil {
				return err
			}
			list := listFires(f.Schedule, first, last)
			if g.output != formTable {
				fmt.Fprint(g.err, firesNote(f, list, first, last))
			}
			return g.show(list, func(v *view) { firesTable(v, f, list, first, last) })
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "first date (default today)")
	cmd.Flags().StringVar(&to, "to", "", "last date")
	return cmd
}

// span returns the instants that the flags mean.
func span(s *period.Schedule, now time.Time, from, to string) (first, last period.Instant, err error) {
	local := now.In(s.Zone())
	from = cmp.Or(from, local.Format(time.DateOnly))
	if to != "" {
		first, last, err = s.Range(from, to)
		if err != nil {
			return 0, 0, usage(err)
		}
		return first, last, nil
	}
	first, _, err = s.Range(from, from)
	if err != nil {
		return 0, 0, usagef("--from: %w", err)
	}
	begin := first.Time().In(s.Zone())
	end := begin.AddDate(0, 0, 7)
	switch s.Kind() {
	case period.Day:
		end = begin.AddDate(0, 1, 0)
	case period.Week, period.Month:
		end = begin.AddDate(1, 0, 0)
	}
	return first, period.At(end), nil
}

func listFires(s *period.Schedule, first, last period.Instant) fires {
	list := fires{Items: []fire{}}
	for f := range s.Fires(first, last) {
		if len(list.Items) == maxFires {
			next := f.Due.Time().Format(time.RFC3339)
			list.Next = &next
			break
		}
		item := fire{
			Period: s.Label(f.Period), Start: f.Period.Start.Time(), End: f.Period.End.Time(),
			Due: f.Due.Time(), DueLocal: f.Due.Time().In(s.Zone()).Format(time.RFC3339), Remarks: f.Remarks,
		}
		if item.Remarks == nil {
			item.Remarks = []period.Remark{}
		}
		list.Items = append(list.Items, item)
	}
	return list
}

func firesTable(v *view, f *flow.Flow, list fires, first, last period.Instant) {
	zone := f.Schedule.Zone()
	local := func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04 -07:00") }
	v.line("%s: %s", f.Name, f.Schedule)
	rows := make([][]string, 0, len(list.Items))
	for _, i := range list.Items {
		texts := make([]string, len(i.Remarks))
		for n, r := range i.Remarks {
			texts[n] = r.Text
		}
		rows = append(rows, []string{
			i.Period, local(i.Start), local(i.End), local(i.Due), i.Due.Format("2006-01-02 15:04"), strings.Join(texts, "; "),
		})
	}
	v.table([]string{"PERIOD", "BEGIN", "END", "DUE", "DUE (UTC)", "REMARKS"}, rows)
	v.WriteString(firesNote(f, list, first, last))
}

// firesNote says what the list cannot: why it is empty, that it goes on, that none of it happens.
func firesNote(f *flow.Flow, list fires, first, last period.Instant) string {
	var b strings.Builder
	s := f.Schedule
	switch {
	case s.Kind() == period.Demand:
		fmt.Fprintf(&b, "%s runs on demand: nothing fires by itself\n", f.Name)
	case len(list.Items) == 0:
		day := func(t period.Instant) string { return t.Time().In(s.Zone()).Format("2006-01-02 15:04 -07:00") }
		fmt.Fprintf(&b, "nothing is due from %s to %s", day(first), day(last))
		if p, ok := s.FirstDueAfter(last - 1); ok {
			fmt.Fprintf(&b, "; the next is %s, due %s", s.Label(p), day(s.Due(p)))
		} else if p, ok := s.LastEnded(first); ok {
			fmt.Fprintf(&b, "; the last was %s, due %s", s.Label(p), day(s.Due(p)))
		}
		b.WriteByte('\n')
	case list.Next != nil:
		fmt.Fprintf(&b, "only the first %d are shown; go on with --from %s\n", len(list.Items), *list.Next)
	}
	if !f.Enabled {
		fmt.Fprintf(&b, "%s is not enabled: it does not fire until it is\n", f.Name)
	}
	return b.String()
}
