package ssh

import (
	"encoding/json"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
)

// Runner is the ssh runner.
type Runner struct {
	// Near starts the near half of an attempt, which calls Session: a program and its arguments.
	Near []string
}

var _ process.Settler = Runner{}

// Describe implements sdk.Plugin.
func (Runner) Describe() sdk.Description {
	return sdk.Description{Name: "ssh", Version: "1", Kind: sdk.KindRunner, Schema: json.RawMessage(schema)}
}

// Validate implements sdk.Plugin.
func (Runner) Validate(with json.RawMessage) []sdk.Problem {
	_, problems := parseSettings(with)
	return problems
}

// Command implements process.Commander.
func (r Runner) Command(spec sdk.Spec) (process.Command, error) {
	settings, problems := parseSettings(spec.With)
	if err := sdk.Refuse(problems); err != nil {
		return process.Command{}, err
	}
	own := sdk.Environ()
	o, err := newOrder(spec, own)
	if err != nil {
		return process.Command{}, err
	}
	if err := o.store(spec.Work); err != nil {
		return process.Command{}, err
	}
	return process.Command{Path: r.Near[0], Args: r.Near[1:], Env: own, Elsewhere: settings.overdue()}, nil
}
