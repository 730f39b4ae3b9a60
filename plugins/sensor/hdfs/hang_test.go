package hdfs

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHang asks servers that accept and never answer: the check ends with its context, and other clusters have their answers.
func TestHang(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 2) // by the RPC and over HTTP
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			go func() {
				if n, _ := conn.Read(make([]byte, 1)); n > 0 {
					asked <- struct{}{}
				}
			}()
		}
	}()
	answered := make(chan struct{}, 1)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"FileStatus": {"modificationTime": 1, "length": 2, "fileId": 3}}`))
		answered <- struct{}{}
	}))
	t.Cleanup(func() {
		web.Close()
		_ = l.Close()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		<-asked
		<-answered
		cancel()
	}()
	hung := l.Addr().String()
	sensor := New(env(nil))
	_, err = sensor.Check(ctx, "", []string{"hdfs://" + hung + "/file", "webhdfs://" + hung + "/file", "web" + strings.Replace(web.URL, "http", "hdfs", 1) + "/file"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestStrangeAnswers(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "<html>", "null", "{}", `{"FileStatus": 1}`, `[]`} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		path := "webhdfs" + strings.TrimPrefix(web.URL, "http") + "/file"
		if s := check(t, New(env(nil)), path); s.Exists || !strings.Contains(s.Error, "does not speak WebHDFS") {
			t.Errorf("%q: %+v", body, s)
		}
		web.Close()
	}
}
