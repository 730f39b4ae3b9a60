package control

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// reachTime is how long the other end of a connection has to take a call.
const reachTime = 5 * time.Second

// addressOf returns where the other end of a connection listens; empty when that is a secret, behind other hosts, or known to its runner alone.
func addressOf(c *flow.Connection) string {
	usual := map[string]string{"hive": "10000", "ssh": "22"}[c.Runner]
	host, _ := c.With["host"].(string)
	port := usual
	if p, given := c.With["port"]; given {
		if _, hidden := p.(*flow.Template); hidden {
			return ""
		}
		port = fmt.Sprint(p)
	}
	if usual == "" || host == "" || c.With["jump"] != nil {
		return ""
	}
	return net.JoinHostPort(host, port)
}

// unreachable calls the other ends of the project's connections, all at once, and tells of those that have not taken a call for long.
func (p *platform) unreachable(ctx context.Context, project *flow.Project) []wrong {
	if project.Monitors.Connections == nil {
		p.down = nil
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	names := slices.Sorted(maps.Keys(project.Connections))
	errs := make([]error, len(names))
	var calls sync.WaitGroup
	for i, name := range names {
		if address := addressOf(project.Connections[name]); address != "" {
			calls.Go(func() {
				c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
				if errs[i] = err; err == nil {
					_ = c.Close()
				}
			})
		}
	}
	calls.Wait()
	now := period.At(p.loop.Now())
	down := map[string]period.Instant{}
	var found []wrong
	for i, name := range names {
		if errs[i] == nil {
			continue
		}
		down[name] = cmp.Or(p.down[name], now)
		if s := over(project.Monitors.Connections, now.Sub(down[name])); s != "" {
			found = append(found, wrong{part: name, event: engine.Event{
				Kind: flow.ConnectionDown, Severity: s,
				Detail: fmt.Sprintf("connection %s cannot be reached from the server's host since %s: %v", name, down[name].Time().Format(time.RFC3339), errs[i]),
			}})
		}
	}
	p.down = down
	return found
}
