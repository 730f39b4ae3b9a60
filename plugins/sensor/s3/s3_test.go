package s3

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest"
)

// gateway starts an S3 server that keeps objects in a folder, with the bucket ods, and returns its URL and a client of it.
func gateway(t *testing.T) (string, *minio.Client) {
	t.Helper()
	program, err := filepath.Abs("../../../bin/peers/versitygw")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("wants versitygw: run scripts/peers")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	cmd := exec.Command(program, "--port", address, "--access", "key", "--secret", "sesame", "--quiet", "posix", t.TempDir())
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		if err := <-ended; err == nil {
			t.Error("the gateway survived its end")
		}
	})
	client, err := minio.New(address, &minio.Options{Creds: credentials.NewStaticV4("key", "sesame", "")})
	if err != nil {
		t.Fatal(err)
	}
	for { // it does not tell when it listens
		response, err := http.Get("http://" + address)
		if err == nil {
			_ = response.Body.Close()
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("the gateway ended: %v\n%s", err, log.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	if err := client.MakeBucket(t.Context(), "ods", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return "http://" + address, client
}

func put(t *testing.T, client *minio.Client, key, text string) {
	t.Helper()
	_, err := client.PutObject(t.Context(), "ods", key, strings.NewReader(text), int64(len(text)), minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// setEnv is the agent's environment. Not even the credentials in the home of who runs the test count.
func setEnv(t *testing.T, more map[string]string) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(name, more[name])
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func TestCheck(t *testing.T) {
	url, client := gateway(t)
	setEnv(t, map[string]string{"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "sesame"})
	for _, key := range []string{"orders/dt=2026-11-19/_SUCCESS", "orders/file", "with space/ü%20"} {
		put(t, client, key, "x")
	}
	cases := []struct {
		path   string
		exists bool
		err    string // a part of it
	}{
		{"s3://ods/orders/dt=2026-11-19/", true, ""},
		{"s3a://ods/orders/dt=2026-11-19/", true, ""},
		{"s3n://ods/orders/file", true, ""},
		{"s3://ods/with space/ü%20", true, ""},
		{"s3://ods/orders/dt=2026-11-20/", false, ""},
		{"s3://ods/orders/absent", false, ""},
		{"s3://ods/orders/file/", false, ""},
		{"s3://ods", false, "names no object: write s3://BUCKET/KEY"},
		{"s3://ods/", false, "names no object"},
		{"s3:///orders/file", false, "names no object"},
	}
	var paths []string
	for range 10 { // more than are asked about at once
		for _, c := range cases {
			paths = append(paths, c.path)
		}
	}
	served := sdktest.Serve(t, New(os.Getenv))
	states, err := served.Check(t.Context(), "", paths)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range states {
		c := cases[i%len(cases)]
		if s.Exists != c.exists || s.Exists != (s.Version != "") || (s.Error == "") != (c.err == "") || !strings.Contains(s.Error, c.err) {
			t.Errorf("%s: got %+v, want %v, error %q", c.path, s, c.exists, c.err)
		}
	}

	version := func() string {
		t.Helper()
		states, err := served.Check(t.Context(), "", []string{"s3://ods/orders/file"})
		if err != nil || !states[0].Exists {
			t.Fatal(states, err)
		}
		return states[0].Version
	}
	before := version()
	if version() != before {
		t.Error("the version changes by itself")
	}
	if put(t, client, "orders/file", "y"); version() == before {
		t.Error("an object that was written anew has the version that it had")
	}
}

func TestRefused(t *testing.T) {
	url, _ := gateway(t)
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"AWS_ENDPOINT_URL_S3": url, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "a guess"}, "s3://ods/file: "},
		{map[string]string{"AWS_ENDPOINT_URL_S3": url}, "s3://ods/file: Access Denied"},
	} {
		setEnv(t, c.env)
		states, err := New(os.Getenv).Check(t.Context(), "", []string{"s3://ods/file"})
		if err != nil || states[0].Exists || !strings.HasPrefix(states[0].Error, c.want) || strings.Contains(states[0].Error, "guess") {
			t.Errorf("%v: %+v %v, want %q", c.env, states, err, c.want)
		}
	}
}

func TestBadEndpoint(t *testing.T) {
	for _, url := range []string{"host:9000", "ftp://host", "https://host/path", "https://", "http://%zz"} {
		setEnv(t, map[string]string{"AWS_ENDPOINT_URL": url})
		_, err := New(os.Getenv).Check(t.Context(), "", []string{"s3://ods/file"})
		if err == nil || !strings.Contains(err.Error(), "AWS_ENDPOINT_URL is no URL") {
			t.Errorf("%s: %v", url, err)
		}
	}
	var s sdk.Sensor = New(os.Getenv)
	if s.Describe().Kind != sdk.KindSensor {
		t.Errorf("described as %+v", s.Describe())
	}
}
