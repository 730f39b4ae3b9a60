package engine

import (
	"net/url"

	"flowctl/dsl/period"
)

// GateKey names a question to a quality gate: about a task run, and put at an instant.
type GateKey struct {
	Run   RunID
	Task  string
	Asked period.Instant
}

// GateQuestion is what a quality gate is asked.
type GateQuestion struct {
	GateKey
	URL                    string
	TaskRun                string // warehouse.orders/load@2026-11-19
	Flow                   string
	Label                  string // of the period
	Version                int
	PeriodStart, PeriodEnd period.Instant
	Until                  period.Instant // an answer after it comes too late; 0 = none does
}

// GateReport is what became of asking a question.
type GateReport struct {
	GateKey
	Error  string      // why it could not be put; empty = the gate has taken it
	Answer *GateAnswer // that the gate gave at once; nil = it calls back
}

// GateAnswer is the verdict of a quality gate.
type GateAnswer struct {
	Release bool   `json:"release" doc:"true: the task may start; false: it fails"`
	Message string `json:"message,omitempty" maxLength:"1000" doc:"why, for people"`
}

// GateRequest is `flowctl gate release` and `flowctl gate refuse`.
type GateRequest struct {
	Target string `json:"target" doc:"flow[/task][@period[..period]][#version]"`
	GateAnswer
}

// GateAddress returns the part of a gate's URL that may be shown: without user, password, query and fragment. It is empty for what is no
// http or https URL.
func GateAddress(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return shown.String()
}
