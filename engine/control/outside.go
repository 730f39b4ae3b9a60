package control

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/core"
)

// usualSystems are the thresholds of R29 for checks, with a little patience for systems that are restarted.
var usualSystems = flow.Outside{Slow: 10 * time.Second, Delay: flow.Delay{Major: 5 * time.Minute, Critical: 15 * time.Minute}}

// limits returns the thresholds for systems outside.
func limits(m *flow.Monitors) flow.Outside {
	if m.Connections == nil {
		return usualSystems
	}
	l := *m.Connections
	l.Slow = cmp.Or(l.Slow, usualSystems.Slow)
	return l
}

// outside returns the systems that tasks need, as seen by the agents that may execute these tasks, in the order of the first task: the peers of
// connections, and file systems of Hadoop, by their roots. It returns none when the monitor tells nobody anyway. Other schemes are left to the checks:
// what their roots answer depends on permissions.
func outside(p *flow.Project) (systems []core.System) {
	if limits(&p.Monitors).Delay == (flow.Delay{}) {
		return nil
	}
	known := map[string]bool{}
	add := func(name, path string, selector []string) {
		key := name + " " + strings.Join(slices.Sorted(slices.Values(selector)), " ")
		if path != "" && !known[key] {
			known[key] = true
			systems = append(systems, core.System{Name: name, Path: path, Selector: selector})
		}
	}
	for _, f := range p.Flows {
		for _, t := range f.Tasks {
			if c := p.Connections[t.Connection]; c != nil && c.Address != "" {
				add(c.Name, "tcp://"+c.Address, t.Agents)
			}
			paths := t.Inputs
			if t.Success == flow.SuccessOutputs { // else nobody looks at them
				paths = slices.Concat(paths, t.Outputs)
			}
			for _, path := range paths {
				root := hadoopRoot(path)
				add(root, root, t.Agents)
			}
		}
	}
	return systems
}

// hadoopRoot returns the root of the file system of Hadoop that a path is in; empty = it is in none, or only an expression says in which.
func hadoopRoot(path *flow.Template) string {
	if len(path.Parts) == 0 {
		return ""
	}
	scheme, rest, _ := strings.Cut(path.Parts[0].Lit, "://")
	host, _, ok := strings.Cut(rest, "/")
	if !ok || !slices.Contains([]string{"hdfs", "webhdfs", "swebhdfs"}, scheme) {
		return ""
	}
	return scheme + "://" + host + "/"
}

// unavailable tells of systems outside that fail, answer late or not at all, for as long as the last question shows. What has not lasted, and what has
// not answered since the restart, keeps an alert open and opens none.
func unavailable(m *flow.Monitors, all []core.Soundness, now period.Instant) []wrong {
	limit := limits(m)
	var found []wrong
	for i := range all {
		s := &all[i]
		since, until, what := s.Since, s.At, "it fails: "+s.Failure
		switch {
		case s.Asked != 0 && now.Sub(s.Asked) > limit.Slow:
			since, until = cmp.Or(since, s.Asked), now
			what = fmt.Sprintf("the question of %s is not answered", stamp(s.Asked))
		case since != 0 && s.Failure == "":
			what = fmt.Sprintf("it takes %s to answer, and may take %s", s.Took.Round(time.Millisecond), limit.Slow)
		case since == 0 && s.At != 0:
			continue
		}
		e := engine.Event{Kind: flow.ConnectionDown, System: s.Name, Agent: s.Agent}
		if since != 0 {
			e.Severity = over(&limit.Delay, until.Sub(since))
		}
		name := s.Name
		if s.Path != name {
			name += " (" + s.Path + ")"
		}
		e.Detail = fmt.Sprintf("%s, asked from agent %s, is not as it should be since %s; %s: see that it is up and can be reached from there",
			name, s.Agent, stamp(since), what)
		found = append(found, wrong{event: e, part: strings.Join(s.Selector, " ")})
	}
	return found
}

func stamp(i period.Instant) string { return i.Time().Format(time.RFC3339) }
