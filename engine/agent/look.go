package agent

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"flowctl/engine/wire"
)

// look asks the sensors whether paths exist. A check that fails is told as the path's error.
func (a *Agent) look(ctx context.Context, paths []string) []*wire.PathState {
	states := make([]*wire.PathState, len(paths))
	bySensor := map[string][]int{}
	for i, p := range paths {
		states[i] = &wire.PathState{Path: p}
		name := sensorOf(p)
		bySensor[name] = append(bySensor[name], i)
	}
	for name, indexes := range bySensor {
		if err := a.ask(ctx, name, states, indexes); err != nil {
			for _, i := range indexes {
				states[i].Error = fmt.Sprintf("sensor %s: %v", name, err)
			}
		}
	}
	return states
}

// ask fills in the states with these indexes.
func (a *Agent) ask(ctx context.Context, name string, states []*wire.PathState, indexes []int) error {
	sensor, err := a.opts.Plugins.Sensor(ctx, name)
	if err != nil {
		return err
	}
	paths := make([]string, len(indexes))
	for n, i := range indexes {
		paths[n] = states[i].Path
	}
	answers, err := sensor.Check(ctx, filepath.Join(a.opts.Dir, "workspace"), paths)
	if err != nil {
		return err
	}
	for n, i := range indexes {
		states[i].Exists, states[i].Error = answers[n].Exists, answers[n].Error
	}
	return nil
}

// sensorOf names the sensor for a path: its URL scheme, or file.
func sensorOf(path string) string {
	if scheme, _, ok := strings.Cut(path, "://"); ok {
		return scheme
	}
	return "file"
}
