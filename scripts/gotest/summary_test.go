package main

import (
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	t.Parallel()
	const log = `{"Action":"output","Package":"p","Test":"TestOK","Output":"quiet\n"}
{"Action":"pass","Package":"p","Test":"TestOK"}
{"Action":"output","Package":"p","Test":"TestSkip","Output":"    x_test.go:3: needs a peer\n"}
{"Action":"skip","Package":"p","Test":"TestSkip"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"    x_test.go:9: wrong answer\n"}
{"Action":"fail","Package":"p","Test":"TestBad"}
{"Action":"output","Package":"p","Test":"TestPanics","Output":"panic: oh\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}
{"Action":"skip","Package":"q"}
not json
`
	var out strings.Builder
	sum, err := read(strings.NewReader(log), &out, false)
	if err != nil {
		t.Fatal(err)
	}
	sum.print(&out)
	const want = `    x_test.go:9: wrong answer
FAIL	p	0.1s
panic: oh
not json

1 tests passed, 1 failed, 1 skipped
  skipped p TestSkip: needs a peer
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestReadVerbose(t *testing.T) {
	t.Parallel()
	const log = `{"Action":"output","Package":"p","Test":"TestBad","Output":"once\n"}
{"Action":"fail","Package":"p","Test":"TestBad"}
`
	var out strings.Builder
	if _, err := read(strings.NewReader(log), &out, true); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "once\n" {
		t.Errorf("got %q", got)
	}
}
