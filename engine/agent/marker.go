package agent

import (
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

	"flowctl/engine"
)

// markers returns the versions of an attempt's outputs before it starts; the empty version is that of a path that does not exist. Nil: its
// outputs do not matter.
func (a *Agent) markers(ctx context.Context, at *attempt) (map[string]string, error) {
	if len(at.wire.Outputs) == 0 {
		return nil, nil
	}
	before := make(map[string]string, len(at.wire.Outputs))
	for i, s := range a.check(ctx, at.wire.Outputs) {
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

// judge turns the success of an attempt into a failure when its outputs matter and one of them is not there, or is what it was. It is false when the
// agent ended meanwhile: the next one judges.
func (a *Agent) judge(at *attempt, res *engine.Result) bool {
	data, err := os.ReadFile(filepath.Join(at.folder, markerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	var before map[string]string
	if err == nil {
		err = json.Unmarshal(data, &before)
	}
	if err != nil {
		fail(res, "what its outputs were cannot be read: "+err.Error())
		return true
	}
	paths := slices.Sorted(maps.Keys(before))
	var lacks []string
	for i, s := range a.check(a.ctx, paths) {
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
	if len(lacks) > 0 {
		fail(res, "it ended well, but of its outputs "+strings.Join(lacks, ", "))
	}
	return a.ctx.Err() == nil
}

func fail(res *engine.Result, message string) {
	res.State, res.Code, res.Message = engine.Failed, engine.CodeOutputs, message
}
