package cli

import (
	"context"
	"fmt"
	"strings"

	"flowctl/engine"
)

// loadOf, memoryOf and diskOf show the last heartbeat of an agent; empty when there is none, or the machine does not tell.
func loadOf(a engine.AgentView) string {
	if a.Heartbeat == nil {
		return ""
	}
	return fmt.Sprintf("%.2f/%g", a.Heartbeat.Load, a.CPUs)
}

func memoryOf(a engine.AgentView) string {
	if a.Heartbeat == nil || a.Memory == 0 {
		return ""
	}
	return part(a.Heartbeat.MemoryFree, a.Memory)
}

func diskOf(a engine.AgentView) string {
	if a.Heartbeat == nil || a.Heartbeat.Disk == 0 {
		return ""
	}
	return part(a.Heartbeat.DiskFree, a.Heartbeat.Disk)
}

func part(of, all int64) string { return bytesText(of) + " of " + bytesText(all) }

// bytesText shows a number of bytes in the unit that leaves at most four digits.
func bytesText(n int64) string {
	f := float64(n)
	for _, unit := range []string{"B", "KiB", "MiB", "GiB", "TiB"} {
		if f < 1024 {
			if unit == "B" {
				return fmt.Sprintf("%d B", n)
			}
			return fmt.Sprintf("%.1f %s", f, unit)
		}
		f /= 1024
	}
	return fmt.Sprintf("%.1f PiB", f)
}

// forTasks is what tasks that say what they need may take; empty when the agent does not tell.
func forTasks(a engine.AgentView) string {
	if a.TaskCPUs == 0 {
		return ""
	}
	return fmt.Sprintf("%g cores, %s", a.TaskCPUs, bytesText(a.TaskMemory))
}

func describeAgent(ctx context.Context, g *globals, svc engine.Service, name string) error {
	a, err := svc.Agent(ctx, name)
	if err != nil {
		return err
	}
	return g.show(a, func(v *view) { agentDetailView(v, *a) })
}

func agentDetailView(v *view, a engine.AgentDetail) {
	v.field("Agent", a.Name)
	v.field("State", v.paint(a.State, agentState(a.AgentView)))
	if a.DrainedBy != "" {
		v.field("Drained", "by "+a.DrainedBy+", "+v.instant(a.DrainedAt)+"; flowctl agents undrain "+a.Name)
	}
	v.field("Full", a.Full)
	v.field("Host", a.Host)
	v.field("Labels", strings.Join(a.Labels, ", "))
	v.field("Accounts", strings.Join(a.Accounts, ", "))
	v.field("For tasks", forTasks(a.AgentView))
	v.field("Running", fmt.Sprintf("%d of %d", a.Running, a.Slots))
	if h := a.Heartbeat; h != nil {
		v.field("Heartbeat", fmt.Sprintf("%s, every %s", v.at(h.At), seconds(a.HeartbeatS)))
		v.field("Load", loadOf(a.AgentView)+" cores")
		v.field("CPU used", fmt.Sprintf("%.0f%%", 100*h.CPUUsed))
	}
	v.field("Memory free", memoryOf(a.AgentView))
	v.field("Disk free", diskOf(a.AgentView))
	v.field("Version", a.Version)
	v.field("Joined", v.at(a.JoinedAt))
	if a.CertificateEndsAt != nil {
		v.field("Certificate", "ends "+v.instant(a.CertificateEndsAt))
	}
	v.field("Revoked", v.instant(a.RevokedAt))
	v.field("Started", v.instant(a.StartedAt))
	v.field("Seen", v.at(a.LastSeen))
	if len(a.Plugins) > 0 {
		rows := make([][]string, 0, len(a.Plugins))
		for _, p := range a.Plugins {
			rows = append(rows, []string{p.Name, p.Kind, p.Version})
		}
		v.line("")
		v.table([]string{"PLUGIN", "KIND", "VERSION"}, rows)
	}
	if len(a.Attempts) > 0 {
		v.line("")
		attemptsTable(v, a.Attempts)
	}
	if len(a.Mismatches) > 0 {
		v.line("")
	}
	for _, m := range a.Mismatches {
		v.line("%s, so it is not given %s", m.Reason, someOf(m.Tasks, m.Count))
	}
}

// someOf names the first of count things.
func someOf(names []string, count int) string {
	text := strings.Join(names, ", ")
	if more := count - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
