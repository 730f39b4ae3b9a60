package agent

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"flowctl/dsl/period"
	"flowctl/engine/wire"
)

// inherited are the agent's variables that attempts see. The others may be secrets.
var inherited = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR",
	"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
}

// baseEnv is what every attempt sees of the agent's environment.
func baseEnv(environ []string, workspace string) []string {
	var env []string
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		if slices.Contains(inherited, name) || strings.HasPrefix(name, "LC_") {
			env = append(env, v)
		}
	}
	return append(env, "FLOWCTL_WORKSPACE="+workspace)
}

// attemptEnv is the whole environment of an attempt: the agent's, then the task's, then the facts of the attempt, of
// which the later wins.
func attemptEnv(base, own []string, w *wire.Assignment, folder, serverURL string) []string {
	env := make([]string, 0, len(base)+len(own)+14)
	for _, v := range base {
		if !overridden(v, own) {
			env = append(env, v)
		}
	}
	for _, v := range own {
		if !strings.HasPrefix(v, "FLOWCTL_") {
			env = append(env, v)
		}
	}
	return append(env,
		"FLOWCTL_FLOW="+w.Flow,
		"FLOWCTL_TASK="+w.Task,
		"FLOWCTL_RUN="+w.RunName,
		"FLOWCTL_VERSION="+strconv.FormatInt(w.Version, 10),
		"FLOWCTL_ATTEMPT="+strconv.FormatInt(w.No, 10),
		"FLOWCTL_FENCE="+strconv.FormatInt(w.Attempt, 10),
		"FLOWCTL_PERIOD_START="+instant(w.PeriodStart),
		"FLOWCTL_PERIOD_END="+instant(w.PeriodEnd),
		"FLOWCTL_PERIOD_LABEL="+w.PeriodLabel,
		"FLOWCTL_OUTPUT="+filepath.Join(folder, outputFile),
		"FLOWCTL_WORK="+folder,
		"FLOWCTL_SERVER="+serverURL,
	)
}

func overridden(v string, by []string) bool {
	name := v[:strings.IndexByte(v, '=')+1]
	return slices.ContainsFunc(by, func(o string) bool { return strings.HasPrefix(o, name) })
}

func instant(us int64) string { return period.Instant(us).Time().Format(time.RFC3339) }
