package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newLogs(g *globals) *cobra.Command {
	var follow, stamps bool
	var no int
	cmd := &cobra.Command{
		Use:   "logs TARGET",
		Short: "Print what a task wrote",
		Long: `Prints the log of the newest attempt of each task run of the target; without a period, of the newest run. With --follow it goes
on until the task run ends, over its retries, and outlives a restart of the server.`,
		Example: `  flowctl logs warehouse.orders/load@2026-11-19
  flowctl logs -f warehouse.orders/load
  flowctl logs warehouse.orders/load@2026-11-19 --attempt 1`,
		Args: argsAs(cobra.ExactArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			t, err := engine.ParseTarget(args[0])
			if err != nil {
				return err
			}
			r, err := oneRun(ctx, svc, args[0])
			if err != nil {
				return err
			}
			l := logReader{g, svc, r.ID, t.Task, stamps}
			switch {
			case no > 0:
				return l.attempt(ctx, no, follow)
			case follow:
				return l.follow(ctx)
			}
			return l.newest(ctx)
		}),
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the task run ends")
	cmd.Flags().BoolVarP(&stamps, "timestamps", "t", false, "begin each line with when it arrived at the server, to the second (UTC)")
	cmd.Flags().IntVar(&no, "attempt", 0, "the attempt of this number, from 1")
	return cmd
}

// logReader prints logs of one run, of one task when it is named.
type logReader struct {
	g      *globals
	svc    engine.Service
	run    engine.RunID
	task   string
	stamps bool
}

// print prints the log of an attempt.
func (l logReader) print(ctx context.Context, id engine.AttemptID, follow bool) error {
	if !l.stamps {
		return l.svc.Logs(ctx, id, 0, follow, l.g.out)
	}
	times, err := l.svc.LogTimes(ctx, id)
	if err != nil {
		return err
	}
	return l.svc.Logs(ctx, id, 0, follow, &stamper{out: l.g.out, times: *times, now: l.g.now, fresh: true})
}

// stamper begins each line of a log with the time of its arrival. What came after the times were asked for arrives now.
type stamper struct {
	out    io.Writer
	times  engine.LogTimes
	now    func() time.Time
	offset int64
	fresh  bool // at the beginning of a line
	buf    []byte
}

// Write implements io.Writer.
func (s *stamper) Write(data []byte) (int, error) {
	s.buf = s.buf[:0]
	for line := range bytes.Lines(data) {
		if s.fresh {
			s.buf = s.at().UTC().AppendFormat(s.buf, time.RFC3339)
			s.buf = append(s.buf, ' ')
		}
		s.buf = append(s.buf, line...)
		s.offset += int64(len(line))
		s.fresh = line[len(line)-1] == '\n'
	}
	if _, err := s.out.Write(s.buf); err != nil {
		return 0, err
	}
	return len(data), nil
}

func (s *stamper) at() time.Time {
	if s.offset >= s.times.SizeBytes || len(s.times.Items) == 0 {
		return s.now()
	}
	for len(s.times.Items) > 1 && s.times.Items[1].Offset <= s.offset {
		s.times.Items = s.times.Items[1:]
	}
	return s.times.Items[0].At
}

// tasks returns the chosen ones of a run's task runs.
func (l logReader) tasks(d engine.RunDetail) ([]engine.TaskRunView, error) {
	if l.task == "" {
		return d.Tasks, nil
	}
	for _, t := range d.Tasks {
		if t.Task == l.task {
			return []engine.TaskRunView{t}, nil
		}
	}
	return nil, engine.Errorf(engine.NotFound, "%s has no task %s; `flowctl describe %s` lists them", d.Name, l.task, d.Name)
}

// newest prints the log of the newest attempt of each task, under a title when there are several.
func (l logReader) newest(ctx context.Context) error {
	d, err := l.svc.Run(ctx, l.run)
	if err != nil {
		return err
	}
	tasks, err := l.tasks(*d)
	if err != nil {
		return err
	}
	printed := 0
	for _, t := range tasks {
		if t.Attempt == 0 {
			continue
		}
		if len(tasks) > 1 {
			fmt.Fprintf(l.g.out, "==> %s (%s) <==\n", clean(t.Name), t.State)
		}
		if err := l.print(ctx, t.Attempt, false); err != nil {
			return err
		}
		printed++
	}
	if printed == 0 {
		return engine.Errorf(engine.NotFound, "nothing of it was started yet; `flowctl explain %s` tells why", d.Name)
	}
	return nil
}

// attempt prints the log of one attempt by its number within the task run.
func (l logReader) attempt(ctx context.Context, no int, follow bool) error {
	d, err := l.svc.Run(ctx, l.run)
	if err != nil {
		return err
	}
	t, err := l.single(*d)
	if err != nil {
		return err
	}
	list, err := collect(paging{}, func(p engine.Page) (*engine.List[engine.AttemptView], error) {
		return l.svc.Attempts(ctx, engine.AttemptsQuery{Page: p, Target: t.Name})
	})
	if err != nil {
		return err
	}
	for _, a := range list.Items {
		if a.No == no {
			return l.print(ctx, a.ID, follow)
		}
	}
	return engine.Errorf(engine.NotFound, "%s has no attempt %d; `flowctl get attempts %s` lists them", t.Name, no, t.Name)
}

// single returns the only chosen task run.
func (l logReader) single(d engine.RunDetail) (engine.TaskRunView, error) {
	tasks, err := l.tasks(d)
	if err != nil {
		return engine.TaskRunView{}, err
	}
	if len(tasks) != 1 {
		return engine.TaskRunView{}, usagef("%s has %d tasks: name one, as in %s/%s@%s", d.Name, len(tasks), d.Flow, d.Tasks[0].Task, d.Period)
	}
	return tasks[0], nil
}

// errMoved ends a watch: the task run has an attempt to follow, or ended.
var errMoved = errors.New("the task run moved")

// follow prints the logs of all attempts from the newest on, until the task run ends.
func (l logReader) follow(ctx context.Context) error {
	var printed engine.AttemptID
	for {
		t, err := l.next(ctx, printed)
		if err != nil {
			return err
		}
		if t.Attempt == 0 {
			return engine.Errorf(engine.NotFound, "%s is %s and was never started; `flowctl explain %s` tells why", t.Name, t.State, t.Name)
		}
		if t.Attempt == printed {
			return nil
		}
		printed = t.Attempt
		if err := l.print(ctx, printed, true); err != nil {
			return err
		}
	}
}

// next waits for an attempt other than printed, or for the end of the task run or its run.
func (l logReader) next(ctx context.Context, printed engine.AttemptID) (engine.TaskRunView, error) {
	var found engine.TaskRunView
	err := l.svc.WatchRun(ctx, l.run, func(d engine.RunDetail) error {
		t, err := l.single(d)
		if err != nil {
			return err
		}
		found = t
		if t.Attempt != printed || t.State.Final() {
			return errMoved
		}
		return nil
	})
	if errors.Is(err, errMoved) {
		err = nil
	}
	return found, err
}
