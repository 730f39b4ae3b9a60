package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"flowctl/engine"
	"flowctl/plugins/sdk"
)

// markers returns the versions of an attempt's outputs before it starts; the empty version is that of a path that does not exist. Nil: its
// outputs do not matter.
func (a *Agent) markers(ctx context.Context, at *attempt) (map[string]string, error) {
	if len(at.wire.Outputs) == 0 {
		return nil, nil
	}
	before := make(map[string]string, len(at.wire.Outputs))
	for i, s := range a.check(ctx, at.wire.Outputs, a.sensorsOf(at)) {
		p := at.wire.Outputs[i]
		switch {
		case s.Error != "":
			return nil, fmt.Errorf("output %s could not be checked: %s", p, s.Error)
		case s.Exists && s.Version == "":
			return nil, fmt.Errorf("output %s: sensor %s cannot tell whether it changes", p, sensorOf(p))
		}
		before[p] = s.Version
	}
	return before, nil
}

func writeMarkers(folder string, before map[string]string) error {
	if before == nil {
		return nil
	}
	data, err := json.Marshal(before)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, markerFile), data, 0o600)
}

// judge settles an attempt whose outputs matter by what has become of them: one that ended well, and one of which nobody knows how it ended,
// whose code stays lost. It is false when the agent ended meanwhile: the next one judges.
func (a *Agent) judge(at *attempt, res *engine.Result) bool {
	lost := res.Code == engine.CodeLost
	if res.State != engine.Succeeded && !lost {
		return true
	}
	data, err := os.ReadFile(filepath.Join(at.folder, markerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	var before map[string]string
	if err == nil {
		err = json.Unmarshal(data, &before)
	}
	var lacks []string
	if err != nil {
		lacks = []string{"cannot be compared: what they were is not readable: " + err.Error()}
	} else {
		lacks = a.lacking(before, a.sensorsOf(at))
	}
	switch why := strings.Join(lacks, ", "); {
	case lost && why == "":
		res.State, res.Message = engine.Succeeded, res.Message+"; all its outputs have changed since it began"
	case lost:
		res.Message += "; of its outputs " + why
	case why != "":
		res.State, res.Code, res.Message = engine.Failed, engine.CodeOutputs, "it ended well, but of its outputs "+why
	}
	return a.ctx.Err() == nil
}

// lacking says of each output that is not there or has not changed what is wrong with it, given what the outputs were.
func (a *Agent) lacking(before map[string]string, sensors pins) []string {
	paths := slices.Sorted(maps.Keys(before))
	var lacks []string
	for i, s := range a.checkPatiently(paths, sensors) {
		switch p := paths[i]; {
		case s.Error != "":
			lacks = append(lacks, fmt.Sprintf("%s could not be checked: %s", p, s.Error))
		case !s.Exists:
			lacks = append(lacks, p+" is not there")
		case s.Version == "":
			lacks = append(lacks, fmt.Sprintf("sensor %s cannot tell whether %s has changed", sensorOf(p), p))
		case s.Version == before[p]:
			lacks = append(lacks, p+" has not changed")
		}
	}
	return lacks
}

const (
	// recheckTries is how often a check of outputs that fails is repeated before it fails the attempt, recheckPause the pause before the first
	// repeat; each further one is three times as long.
	recheckTries = 3
	recheckPause = time.Second
)

// checkPatiently is check, which repeats for the paths of which it fails.
func (a *Agent) checkPatiently(paths []string, sensors pins) []sdk.PathState {
	states := a.check(a.ctx, paths, sensors)
	pause := cmp.Or(a.opts.Recheck, recheckPause)
	for range recheckTries {
		var failed []int
		var again []string
		for i, s := range states {
			if s.Error != "" {
				failed, again = append(failed, i), append(again, paths[i])
			}
		}
		if len(failed) == 0 || !sleep(a.ctx, pause) {
			break
		}
		for k, s := range a.check(a.ctx, again, sensors) {
			states[failed[k]] = s
		}
		pause *= 3
	}
	return states
}
