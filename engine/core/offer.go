package core

import (
	"fmt"
	"slices"
	"strings"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

// Demand is what a task asks of the agent that executes it.
type Demand struct {
	Labels []string
	User   string // of the operating system, as whom it runs; empty = the agent's own
	CPU    int64  // thousandths of a core; 0 = not known
	Memory int64  // bytes; 0 = not known
}

// DemandOf returns what a task of a project asks for.
func DemandOf(p *flow.Project, t *flow.Task) Demand {
	return Demand{Labels: t.Agents, User: userOf(p, t), CPU: int64(t.Resources.CPU * 1000), Memory: t.Resources.Memory}
}

// userOf returns the user of the operating system as whom a task runs; empty = the agent's own.
func userOf(p *flow.Project, t *flow.Task) string {
	if a := p.Accounts[t.RunAs]; a != nil {
		return a.User
	}
	return ""
}

// key is the same for all tasks that ask for the same.
func (d *Demand) key(t *flow.Task) string {
	key := selectorOf(t)
	if d.User != "" || d.CPU != 0 || d.Memory != 0 {
		key += fmt.Sprintf(" %q %d %d", d.User, d.CPU, d.Memory)
	}
	return key
}

// Offer is what an agent has that tasks can ask for.
type Offer struct {
	Labels []string
	Users  []string // of the operating system, as whom it lets tasks run
	CPU    int64    // for tasks that say what they need, in thousandths of a core; 0 = not known
	Memory int64    // the same in bytes
}

// OfferOf returns what an agent has.
func OfferOf(labels []string, h *engine.Host) Offer {
	return Offer{Labels: labels, Users: h.Users, CPU: h.TaskCPU, Memory: h.TaskMemory}
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

// takes tells whether a demand can be met at all.
func (o *Offer) takes(d *Demand) bool {
	return (len(d.Labels) == 0 || len(o.lacks(d.Labels)) == 0) && (d.User == "" || slices.Contains(o.Users, d.User)) &&
		bounded(d.CPU, o.CPU) && bounded(d.Memory, o.Memory)
}

// bounded tells whether an amount is within a bound; 0 is not known, either way.
func bounded(amount, bound int64) bool { return amount == 0 || bound == 0 || amount <= bound }

// Mismatch says why a demand can never be met; empty = it can.
func (o *Offer) Mismatch(d Demand) string {
	var why []string
	if lacks := o.lacks(d.Labels); len(lacks) > 0 {
		why = append(why, "lacks "+strings.Join(lacks, ", "))
	}
	if d.User != "" && !slices.Contains(o.Users, d.User) {
		why = append(why, "does not run tasks as "+d.User)
	}
	if !bounded(d.CPU, o.CPU) {
		why = append(why, fmt.Sprintf("has %s cores, %s are wanted", cores(o.CPU), cores(d.CPU)))
	}
	if !bounded(d.Memory, o.Memory) {
		why = append(why, fmt.Sprintf("has %s of memory, %s are wanted", mebibytes(o.Memory), mebibytes(d.Memory)))
	}
	return strings.Join(why, " and ")
}

// fits tells whether an agent that takes a demand has enough left for it.
func (a *agent) fits(d *Demand) bool {
	return (d.CPU == 0 || a.offer.CPU == 0 || a.cpuTaken+d.CPU <= a.offer.CPU) &&
		(d.Memory == 0 || a.offer.Memory == 0 || a.memoryTaken+d.Memory <= a.offer.Memory)
}

// left says what an agent has left of what tasks ask for.
func (a *agent) left() string {
	return fmt.Sprintf("%s has %s cores and %s of memory left", a.name, cores(a.offer.CPU-a.cpuTaken), mebibytes(a.offer.Memory-a.memoryTaken))
}

func cores(milli int64) string { return fmt.Sprintf("%g", float64(max(milli, 0))/1000) }
func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", max(n, 0)>>20) }
