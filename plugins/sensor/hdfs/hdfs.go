// Package hdfs is the sensor for files in HDFS. A path that ends in / stands for the file _SUCCESS in it.
//
//   - hdfs://NAMENODE/PATH speaks Hadoop's own RPC. NAMENODE is a name service of the configuration in HADOOP_CONF_DIR, whose namenodes are tried until one is active,
//     or HOST or HOST:PORT (8020). hdfs:///PATH is on the configuration's fs.defaultFS.
//   - webhdfs://HOST:PORT/PATH and swebhdfs://HOST:PORT/PATH ask the namenode, or a gateway, over HTTP and HTTPS.
//
// The user is HADOOP_USER_NAME, else the account of the agent. Clusters that want Kerberos are refused with a clear error. The version is made of the
// time of the last change, the length and the number of the file.
package hdfs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os/user"
	"strings"
	"time"

	"flowctl/plugins/sdk"
)

// A cluster has timeout to answer for all paths of a check, and is asked about parallel of them at once.
const (
	timeout  = 30 * time.Second
	parallel = 8
)

// Sensor is the hdfs sensor.
type Sensor struct{ env func(string) string }

// New returns a sensor that is configured by environment variables.
func New(env func(string) string) Sensor { return Sensor{env} }

// Describe implements sdk.Plugin.
func (Sensor) Describe() sdk.Description {
	return sdk.Description{
		Name: "hdfs", Version: "1", Kind: sdk.KindSensor, Schema: json.RawMessage(`{"type":"object","additionalProperties":false}`),
	}
}

// Validate implements sdk.Plugin.
func (Sensor) Validate(with json.RawMessage) []sdk.Problem {
	return sdk.DecodeWith(with, &struct{}{})
}

// question is a path of a check.
type question struct {
	file  string // absolute, without the cluster
	state *sdk.PathState
}

// cluster is where files are, as a path names it.
type cluster struct{ scheme, host string }

// Check implements sdk.Sensor. Clusters are asked side by side: one that hangs holds up no other.
func (s Sensor) Check(ctx context.Context, _ string, paths []string) ([]sdk.PathState, error) {
	name, err := s.user()
	if err != nil {
		return nil, err
	}
	states := make([]sdk.PathState, len(paths))
	questions := map[cluster][]question{}
	for i, path := range paths {
		scheme, rest, _ := strings.Cut(path, "://")
		host, file, ok := strings.Cut(rest, "/")
		if !ok || file == "" {
			states[i].Error = path + " names no file: write " + scheme + "://HOST/PATH"
			continue
		}
		c := cluster{scheme, host}
		questions[c] = append(questions[c], question{sdk.Answering("/" + file), &states[i]})
	}
	asked, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := make(chan struct{})
	for c, qs := range questions {
		go func() {
			s.ask(asked, c, name, qs)
			done <- struct{}{}
		}()
	}
	for range questions {
		<-done
	}
	return states, ctx.Err()
}

// ask answers the questions about a cluster.
func (s Sensor) ask(ctx context.Context, c cluster, user string, questions []question) {
	var err error
	switch c.scheme {
	case "hdfs":
		err = s.native(ctx, c.host, user, questions)
	case "webhdfs":
		web(ctx, "http://"+c.host, user, questions)
	case "swebhdfs":
		web(ctx, "https://"+c.host, user, questions)
	default:
		err = fmt.Errorf("the hdfs sensor does not know %s://", c.scheme)
	}
	if err != nil {
		for _, q := range questions {
			q.state.Error = err.Error()
		}
	}
}

func (s Sensor) user() (string, error) {
	if name := s.env("HADOOP_USER_NAME"); name != "" {
		return name, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("as whom to ask: set HADOOP_USER_NAME: %w", err)
	}
	return u.Username, nil
}

// share splits questions among at most parallel askers.
func share(questions []question) [][]question {
	n := min(parallel, len(questions))
	shares := make([][]question, n)
	for i, q := range questions {
		shares[i%n] = append(shares[i%n], q)
	}
	return shares
}

// there is the state of a file.
func there(modified, length int64, number uint64) sdk.PathState {
	return sdk.PathState{Exists: true, Version: fmt.Sprintf("%d-%d-%d", modified, length, number)}
}

// tooLate says it of an error that the end of the time brought about.
func tooLate(ctx context.Context, err error) error {
	return cmp.Or(context.Cause(ctx), err)
}
