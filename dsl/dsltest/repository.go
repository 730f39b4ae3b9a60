// Package dsltest makes flows repositories of any size, for benchmarks and tests of what reads them.
package dsltest

import (
	"bytes"
	"fmt"

	"flowctl/dsl"
)

// Repository returns a repository without problems: the given number of files with one daily flow each, and as many tasks a flow. Tasks
// are of the usual sort: a command with the date in it, a time limit, retries, a need on a task before and now and then on one of
// another flow. File i is flows/gNN/fI.yaml with the flow gNN.fI; its tasks are t0, t1, …
func Repository(files, tasks int) []dsl.File {
	out := make([]dsl.File, 0, files+2)
	out = append(out,
		file("flowctl.yaml", "version: 1\ntimezone: Asia/Shanghai\nadmins: [platform]\ndefaults:\n  timeout: 2h\n  retry: {limit: 3, delay: 1m}\n"),
		file("teams.yaml", "people:\n  alice: {name: Alice, email: alice@example.com}\n  bob: {name: Bob}\nteams:\n  data: {members: [alice, bob]}\n  platform: {members: [bob]}\n"),
	)
	for i := range files {
		out = append(out, file(fmt.Sprintf("flows/g%02d/f%d.yaml", i%100, i), Flow(i, tasks)))
	}
	return out
}

func file(path, text string) dsl.File { return dsl.File{Path: path, Mode: 0o644, Data: []byte(text)} }

// Flow returns the document of flow i of a Repository. Flows whose number is below i must exist.
func Flow(i, tasks int) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, `flow: g%02d.f%d
description: One partition a day of table %d
team: data
owner: alice
labels: {domain: sales, tier: "%d"}
schedule:
  every: day
  at: "00:%02d"
  start: 2024-01-01
params: {table: t%d}
tasks:
`, i%100, i, i, i%3, i%60, i)
	for t := range tasks {
		fmt.Fprintf(&b, "  t%d:\n    run: |\n      set -e\n      ./step.sh --day ${{ ds }} --table ${{ quote(params.table) }} --step %d\n", t, t)
		fmt.Fprintf(&b, "    timeout: %dm\n    retry: {limit: %d, delay: 30s}\n", 10+t, 1+t%3)
		switch {
		case t > 1:
			fmt.Fprintf(&b, "    needs: [t%d, t%d]\n", t-1, t/2)
		case t == 1:
			fmt.Fprintf(&b, "    needs:\n      - t0\n      - {task: t1, periods: previous}\n")
		case i > 0 && i%3 == 0:
			fmt.Fprintf(&b, "    needs:\n      - g%02d.f%d/t0\n", (i-1)%100, i-1)
		}
		fmt.Fprintf(&b, "    outputs: [\"/data/g%02d/f%d/t%d/dt=${{ ds }}/\"]\n    env: {LANG: C.UTF-8}\n", i%100, i, t)
	}
	return b.String()
}
