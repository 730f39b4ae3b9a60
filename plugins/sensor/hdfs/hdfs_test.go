package hdfs

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest"
)

// server is a Hadoop with two namenodes, the first of which is active.
type server struct {
	t         *testing.T
	namenodes [2]string // host and port of their RPC
	web       string    // of the first one
	in        io.Writer
	out       *bufio.Scanner
}

func start(t *testing.T) *server {
	t.Helper()
	jars, err := filepath.Abs("../../../bin/peers/hadoop/jars")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(jars); err != nil {
		t.Skip("wants Hadoop's minicluster: run scripts/peers")
	}
	cmd := exec.Command("java", "-Xmx512m", "-cp", jars+"/*", "testdata/Cluster.java", t.TempDir())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("hadoop: %v\n%s", err, log.String())
		}
	})
	s := &server{t: t, in: in, out: bufio.NewScanner(out)}
	port := ""
	if _, err := fmt.Sscan(s.answer(), &s.namenodes[0], &s.namenodes[1], &port); err != nil {
		t.Fatal(err)
	}
	s.web = net.JoinHostPort("localhost", port)
	return s
}

func (s *server) answer() string {
	s.t.Helper()
	if !s.out.Scan() {
		s.t.Fatal("hadoop ended")
	}
	return s.out.Text()
}

// do is one of `create PATH`, `deny PATH` and `active INDEX`.
func (s *server) do(line string) {
	s.t.Helper()
	if _, err := fmt.Fprintln(s.in, line); err != nil {
		s.t.Fatal(err)
	}
	if a := s.answer(); a != "done" {
		s.t.Fatal(a)
	}
}

// conf writes a configuration in which the two namenodes are the service warehouse, and returns its folder.
func (s *server) conf() string {
	s.t.Helper()
	return configure(s.t, map[string]string{
		"fs.defaultFS": "hdfs://warehouse", "dfs.nameservices": "other, warehouse", "dfs.ha.namenodes.warehouse": "one, two",
		"dfs.namenode.rpc-address.warehouse.one": s.namenodes[0], "dfs.namenode.rpc-address.warehouse.two": s.namenodes[1],
	})
}

func configure(t *testing.T, properties map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	text := "<configuration>"
	for name, value := range properties {
		text += "<property><name>" + name + "</name><value>" + value + "</value></property>"
	}
	if err := os.WriteFile(filepath.Join(dir, "hdfs-site.xml"), []byte(text+"</configuration>"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

// check asks about one path.
func check(t *testing.T, s Sensor, path string) sdk.PathState {
	t.Helper()
	states, err := s.Check(t.Context(), "", []string{path})
	if err != nil {
		t.Fatal(err)
	}
	return states[0]
}

func TestHadoop(t *testing.T) {
	t.Parallel()
	hadoop := start(t)
	for _, file := range []string{"/done/_SUCCESS", "/file", "/with space/ü", "/secret/file"} {
		hadoop.do("create " + file)
	}
	hadoop.do("deny /secret")
	sensor := New(env(map[string]string{"HADOOP_USER_NAME": "guest", "HADOOP_CONF_DIR": hadoop.conf()}))
	cases := []struct {
		path   string
		exists bool
		err    string // a part of it
	}{
		{"/done/", true, ""},
		{"/done", true, ""},
		{"/file", true, ""},
		{"/file/", false, ""},
		{"/with space/ü", true, ""},
		{"/absent", false, ""},
		{"/absent/", false, ""},
		{"/secret/file", false, "ermission denied"},
	}
	for _, base := range []string{"hdfs://" + hadoop.namenodes[0], "hdfs://warehouse", "hdfs://", "webhdfs://" + hadoop.web} {
		var paths []string
		for range 20 { // more than are asked about at once
			for _, c := range cases {
				paths = append(paths, base+c.path)
			}
		}
		states, err := sdktest.Serve(t, sensor).Check(t.Context(), "", paths)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range states {
			c := cases[i%len(cases)]
			wrong := s.Exists != c.exists || s.Exists != (s.Version != "") || (s.Error == "") != (c.err == "") || !strings.Contains(s.Error, c.err)
			if wrong || strings.Contains(s.Error, "\n") {
				t.Errorf("%s: got %+v, want %v, error %q", paths[i], s, c.exists, c.err)
			}
		}
	}

	t.Run("version", func(t *testing.T) {
		native, web := "hdfs://warehouse/file", "webhdfs://"+hadoop.web+"/file"
		before := check(t, sensor, native)
		if w := check(t, sensor, web); w != before || w != check(t, sensor, native) {
			t.Errorf("%+v natively, %+v over HTTP", before, w)
		}
		hadoop.do("create /file")
		if after := check(t, sensor, native); !after.Exists || after.Version == before.Version {
			t.Errorf("written anew, it is %+v, and was %+v", after, before)
		}
	})
	t.Run("failover", func(t *testing.T) {
		hadoop.do("active 1")
		if s := check(t, sensor, "hdfs://warehouse/done/"); !s.Exists {
			t.Errorf("with the second namenode active: %+v", s)
		}
		for _, path := range []string{"hdfs://" + hadoop.namenodes[0] + "/done/", "webhdfs://" + hadoop.web + "/done/"} {
			if s := check(t, sensor, path); s.Exists || !strings.Contains(strings.ToLower(s.Error), "standby") {
				t.Errorf("%s, a standby namenode: %+v", path, s)
			}
		}
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	kerberos := configure(t, map[string]string{"hadoop.security.authentication": "kerberos"})
	lacking := configure(t, map[string]string{"dfs.nameservices": "warehouse"})
	for _, c := range []struct{ conf, path, want string }{
		{"", "hdfs://nn", "names no file: write hdfs://HOST/PATH"},
		{"", "hdfs://nn/", "names no file"},
		{"", "hdfs:///file", "wants fs.defaultFS"},
		{"", "hdfs://" + closed + "/file", "connection refused"},
		{"", "webhdfs://" + closed + "/file", "connection refused"},
		{"", "ftp://host/file", "does not know ftp://"},
		{kerberos, "hdfs://nn/file", "wants Kerberos"},
		{lacking, "hdfs://warehouse/file", "no dfs.namenode.rpc-address for the name service warehouse"},
	} {
		sensor := New(env(map[string]string{"HADOOP_CONF_DIR": c.conf}))
		if s := check(t, sensor, c.path); s.Exists || !strings.Contains(s.Error, c.want) {
			t.Errorf("%s: %+v, want the error %q", c.path, s, c.want)
		}
	}
}
