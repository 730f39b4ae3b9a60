package agent

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"flowctl/engine/wire"
	"flowctl/plugins/sdk"
)

// look is check in the words of the server.
func (a *Agent) look(ctx context.Context, paths []string, sensors pins) []*wire.PathState {
	states := make([]*wire.PathState, len(paths))
	for i, s := range a.check(ctx, paths, sensors) {
		states[i] = &wire.PathState{Path: paths[i], Exists: s.Exists, Error: s.Error}
	}
	return states
}

// probe answers the server's question about paths, for each sensor as soon as it has answered.
func (a *Agent) probe(s *session, paths []string, sensors pins) {
	bySensor := map[string][]string{}
	for _, p := range paths {
		name := sensorOf(p)
		bySensor[name] = append(bySensor[name], p)
	}
	for _, own := range bySensor {
		a.work.Go(func() { s.out.probed(a.look(s.ctx, own, sensors)) })
	}
}

// check asks the sensors, all at once, whether paths exist, and in which version. A check that fails is told as the path's error.
func (a *Agent) check(ctx context.Context, paths []string, sensors pins) []sdk.PathState {
	states := make([]sdk.PathState, len(paths))
	bySensor := map[string][]int{}
	for i, p := range paths {
		name := sensorOf(p)
		bySensor[name] = append(bySensor[name], i)
	}
	var asked sync.WaitGroup
	for name, indexes := range bySensor {
		asked.Go(func() {
			if err := a.ask(ctx, name, sensors, paths, states, indexes); err != nil {
				for _, i := range indexes {
					states[i].Error = fmt.Sprintf("sensor %s: %v", name, err)
				}
			}
		})
	}
	asked.Wait()
	return states
}

// ask fills in the states with these indexes.
func (a *Agent) ask(ctx context.Context, name string, sensors pins, all []string, states []sdk.PathState, indexes []int) error {
	sums, err := sensors(name)
	if err != nil {
		return err
	}
	sensor, err := a.opts.Plugins.Sensor(ctx, name, sums)
	if err != nil {
		return err
	}
	paths := make([]string, len(indexes))
	for n, i := range indexes {
		paths[n] = all[i]
	}
	answers, err := sensor.Check(ctx, filepath.Join(a.opts.Dir, "workspace"), paths)
	if err != nil {
		return err
	}
	for n, i := range indexes {
		states[i] = answers[n]
	}
	return nil
}

// sensorOf names the sensor for a path: that of its URL scheme, which has the scheme's name unless it serves several, or file.
func sensorOf(path string) string {
	scheme, _, ok := strings.Cut(path, "://")
	if !ok {
		return "file"
	}
	switch scheme {
	case "https", "tcp":
		return "http"
	case "webhdfs", "swebhdfs":
		return "hdfs"
	case "s3a", "s3n":
		return "s3"
	}
	return scheme
}
