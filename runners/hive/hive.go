package hive

import (
	"encoding/json"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
)

// Runner is the hive runner.
type Runner struct {
	// Near starts the process that looks after an attempt, which calls Session: a program and its arguments.
	Near []string
}

var _ process.Settler = Runner{}

// Describe implements sdk.Plugin.
func (Runner) Describe() sdk.Description {
	return sdk.Description{Name: "hive", Version: "1", Kind: sdk.KindRunner, Schema: json.RawMessage(schema)}
}

// Validate implements sdk.Plugin.
func (Runner) Validate(with json.RawMessage) []sdk.Problem {
	_, problems := parseSettings(with)
	return problems
}

// Command implements process.Commander.
func (r Runner) Command(spec sdk.Spec) (process.Command, error) {
	o, err := newOrder(spec)
	if err != nil {
		return process.Command{}, err
	}
	if err := write(spec.Work, orderFile, o); err != nil {
		return process.Command{}, err
	}
	return process.Command{Path: r.Near[0], Args: r.Near[1:], Env: sdk.Environ()}, nil
}

// checked returns the settings of a `with` document that has no problems.
func checked(with json.RawMessage) (settings, error) {
	s, problems := parseSettings(with)
	return s, sdk.Refuse(problems)
}
