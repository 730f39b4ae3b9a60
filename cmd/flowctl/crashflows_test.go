//go:build linux

package main_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// crashFlow is a flow whose tasks leave a trace of each execution.
type crashFlow struct {
	head  string // YAML before the tasks
	tasks map[string]crashTask
}

type crashTask struct {
	lines   int     // of its log
	seconds float64 // that it takes
	from    string  // the task whose output it is passed
	python  bool
	needs   string // others that it needs
	inputs  string
}

const (
	onDemand = "params: {id: \"\"}"
	hourly   = "schedule: {every: hour, start: 2024-01-01, end: 2025-01-01}"
	daily    = "schedule: {every: day, start: 2024-01-01, end: 2025-01-01}"
)

// repeated are the flows that the crash test runs again and again.
var repeated = []string{"chain", "fan", "logs", "snake"}

// scheduled are those that it backfills, a day at a time.
var scheduled = []string{"daily", "hourly"}

// crashFlows are flows of all shapes.
var crashFlows = map[string]crashFlow{
	"chain": {onDemand, map[string]crashTask{
		"a": {lines: 7, seconds: 0.02},
		"b": {lines: 7, seconds: 0.1, from: "a"},
		"c": {lines: 7, seconds: 0.005, from: "b"},
		"d": {lines: 7, seconds: 0.3, from: "c"},
	}},
	"fan": {onDemand, map[string]crashTask{
		"root":   {lines: 1, seconds: 0.01},
		"leaf-1": {lines: 1, seconds: 0.01, from: "root"},
		"leaf-2": {lines: 1, seconds: 0.02, from: "root"},
		"leaf-3": {lines: 1, seconds: 0.03, from: "root"},
		"leaf-4": {lines: 1, seconds: 0.04, from: "root"},
		"leaf-5": {lines: 1, seconds: 0.05, from: "root"},
		"join":   {lines: 1, seconds: 0.01, from: "leaf-5", needs: "leaf-1, leaf-2, leaf-3, leaf-4"},
	}},
	"logs": {onDemand, map[string]crashTask{"large": {lines: 4000, seconds: 0.05}}},
	"tiny": {onDemand, map[string]crashTask{"one": {lines: 1, seconds: 0.001}}},
	"slow": {onDemand, map[string]crashTask{"wait": {lines: 5, seconds: 1.2}}},
	"snake": {onDemand, map[string]crashTask{
		"py": {lines: 50, seconds: 0.1, python: true},
		"sh": {lines: 3, seconds: 0.01, from: "py"},
	}},
	"hourly": {hourly, map[string]crashTask{
		"load": {lines: 2, seconds: 0.01, needs: "{task: load, periods: previous}", inputs: "/etc/passwd"},
	}},
	"cold": {hourly, map[string]crashTask{
		"a": {lines: 1, seconds: 0.001},
		"b": {lines: 1, seconds: 0.001, from: "a"},
	}},
	"daily": {daily, map[string]crashTask{
		"sum":    {lines: 2, seconds: 0.05, needs: "hourly/load"},
		"report": {lines: 2, seconds: 0.02, from: "sum"},
	}},
}

// crashRepository holds the flows; their tasks append to the file trace.
func crashRepository(trace string) map[string][]byte {
	files := map[string][]byte{
		"flowctl.yaml": []byte("version: 1\ntimezone: UTC\n"),
		"teams.yaml":   []byte("people:\n  alice: {name: Alice}\nteams:\n  data: {members: [alice]}\n"),
		"task.sh":      []byte(shellTask),
		"task.py":      []byte(pythonTask),
	}
	for name, f := range crashFlows {
		id := ""
		if f.head == onDemand {
			id = "${{ params.id }}"
		}
		var b strings.Builder
		fmt.Fprintf(&b, "flow: %s\nteam: data\n%s\ntasks:\n", name, f.head)
		for _, task := range slices.Sorted(maps.Keys(f.tasks)) {
			f.tasks[task].write(&b, task, trace, id)
		}
		files[name+".yaml"] = []byte(b.String())
	}
	return files
}

func (c crashTask) write(b *strings.Builder, name, trace, id string) {
	got := "-"
	if c.from != "" {
		got = "${{ needs['" + c.from + "'].outputs.fence }}"
	}
	fmt.Fprintf(b, "  %s:\n    env: {TRACE: %q, ID: %q}\n", name, trace, id)
	if c.python {
		fmt.Fprintf(b, "    runner: python\n    file: task.py\n    args: [\"%d\", \"%g\", %q]\n", c.lines, c.seconds, got)
	} else {
		fmt.Fprintf(b, "    run: ./task.sh %d %g %s\n", c.lines, c.seconds, got)
	}
	needs := strings.Trim(c.from+", "+c.needs, ", ")
	fmt.Fprintf(b, "    needs: [%s]\n    inputs: [%s]\n", needs, c.inputs)
}

// shellTask does LINES SECONDS GOT: it prints lines, takes its time, and leaves a trace of its start and its end.
const shellTask = `#!/bin/sh
set -eu
key="$FLOWCTL_FLOW/$FLOWCTL_TASK $FLOWCTL_PERIOD_LABEL [$ID] $FLOWCTL_FENCE $3"
echo "start $key" >> "$TRACE"
i=0
while [ $i -lt $1 ]; do
  i=$((i + 1))
  echo "line $i of $FLOWCTL_TASK"
done
sleep $2
echo "fence=$FLOWCTL_FENCE" >> "$FLOWCTL_OUTPUT"
echo "end $key" >> "$TRACE"
`

const pythonTask = `import os, sys, time

env = os.environ
lines, seconds, got = sys.argv[1:]
key = f"{env['FLOWCTL_FLOW']}/{env['FLOWCTL_TASK']} {env['FLOWCTL_PERIOD_LABEL']} [{env['ID']}] {env['FLOWCTL_FENCE']} {got}"

def trace(word):
    fd = os.open(env["TRACE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(fd, f"{word} {key}\n".encode())
    os.close(fd)

trace("start")
for i in range(int(lines)):
    print("line", i + 1, "of", env["FLOWCTL_TASK"])
time.sleep(float(seconds))
with open(env["FLOWCTL_OUTPUT"], "a") as out:
    out.write(f"fence={env['FLOWCTL_FENCE']}\n")
trace("end")
`
