package ssh

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for with, want := range map[string]string{
		`{"host": "h", "identity": "k"}`: "",
		`{"host": "h", "agent": true, "port": 2222, "jump": ["a", "b@[::1]:22"], "keepalive": "5s", "lease": "10s"}`: "",
		`{"host": "h", "agent": "true", "port": "2222", "jump": "a,b@c:22", "certificate": "c"}`:                     "",
		`{"host": "h"}`:                "",
		``:                             "/host: want the name or address of the host",
		`{"host": 1, "identity": "k"}`: "/host: want a string, not a number",
		`{"host": "h", "identity": "k", "hosts": []}`:                       `/hosts: there is no setting "hosts"`,
		`{"host": "h", "identity": "k", "port": 70000}`:                     `/port: want a port from 1 to 65535, not "70000"`,
		`{"host": "h", "passphrase_env": "FLOWCTL_X"}`:                      "/passphrase_env: want a variable whose name does not begin with FLOWCTL_: those never reach a plugin",
		`{"host": "h", "identity": "k", "port": [1]}`:                       `/port: want a port from 1 to 65535, not "[1]"`,
		`{"host": "h", "agent": "yes"}`:                                     `/agent: want true or false, not "yes"`,
		`{"host": "h", "identity": "k", "jump": ["a", "@b"]}`:               `/jump/1: want [user@]host[:port], not "@b"`,
		`{"host": "h", "identity": "k", "jump": "a,b:x"}`:                   `/jump/1: want [user@]host[:port], not "b:x"`,
		`{"host": "h", "identity": "k", "connect_timeout": "0s"}`:           `/connect_timeout: want a duration of at least 1s, such as 30s or 5m, not "0s"`,
		`{"host": "h", "identity": "k", "keepalive": "soon"}`:               `/keepalive: want a duration of at least 1s, such as 30s or 5m, not "soon"`,
		`{"host": "h", "identity": "k", "keepalive": "40s"}`:                "/lease: want at least twice keepalive, or one lost packet ends the task",
		`{"host": "h", "agent": true, "passphrase": "x"}`:                   "/identity: want the file of the private key that the passphrase is for",
		`{"host":"h","identity":"k","passphrase":"x","passphrase_env":"Y"}`: "/passphrase_env: want either passphrase or passphrase_env",
	} {
		var got []string
		for _, p := range (Runner{}).Validate([]byte(with)) {
			got = append(got, p.Path+": "+p.Message)
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%s:\ngot  %q\nwant %q", with, got, want)
		}
	}
}

// What a repository is checked against when it is compiled is what the plugin says.
func TestSchema(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../../dsl/schemas/ssh.json")
	if err != nil || strings.TrimSpace(string(file)) != schema {
		t.Errorf("dsl/schemas/ssh.json is not the schema of this runner (%v)", err)
	}
}

func TestRoute(t *testing.T) {
	t.Parallel()
	s, problems := parseSettings([]byte(`{"host": "::1", "user": "u", "agent": true, "jump": "a@b:1, c@d,e@[::2]:3,f@[::4]"}`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	route, err := s.route()
	var got []string
	for _, h := range route {
		got = append(got, h.user+" "+h.address())
	}
	if want := []string{"a b:1", "c d:22", "e [::2]:3", "f [::4]:22", "u [::1]:22"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func FuzzHop(f *testing.F) {
	for _, text := range []string{"h", "u@h:22", "u@[::1]:22", "[::1]", "a@b@c", ":", "@", "h:0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHop(text)
		if err != nil {
			return
		}
		if again, err := parseHop(h.user + "@" + h.address()); h.user != "" && (err != nil || again != h) {
			t.Errorf("%q is %+v, which reads as %+v, %v", text, h, again, err)
		}
	})
}

func hangUp() error { return nil }

func TestHear(t *testing.T) {
	t.Parallel()
	broken := errors.New("cut")
	for news, c := range map[string]struct {
		wait  error
		end   ending
		heard bool
		err   string
	}{
		"begun\nend 0 \n":               {nil, ending{}, true, ""},
		"a shell's moan\nbegun\nend 3 ": {nil, ending{code: 3}, true, ""},
		"begun\nend 143 lease\n":        {nil, ending{143, true}, true, ""},
		"begun\nend 3\nmore":            {broken, ending{code: 3}, true, ""},
		"begun\n":                       {broken, ending{}, true, "cut"},
		"":                              {broken, ending{}, false, "cut"},
		"sh: no such folder":            {broken, ending{}, false, "no such folder"},
		"begun\nend lost\n":             {nil, ending{}, true, "killed"},
		"begun\nend 300\n":              {nil, ending{}, true, "end 300"},
	} {
		end, heard, err := hear(strings.NewReader(news), hangUp, func() error { return c.wait })
		if end != c.end || heard != c.heard || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: got %+v, %v, %v", news, end, heard, err)
		}
	}
	var final *process.Failure
	if _, _, err := hear(strings.NewReader("end lost"), hangUp, func() error { return nil }); !errors.As(err, &final) || final.Code != sdk.CodeLost {
		t.Errorf("lost is worth another try: %v", err)
	}
}

func FuzzHear(f *testing.F) {
	for _, news := range []string{"begun\nend 0\n", "end 3 lease", "end lost", "end -1", "\x00"} {
		f.Add(news)
	}
	f.Fuzz(func(t *testing.T, news string) {
		end, _, err := hear(strings.NewReader(news), hangUp, func() error { return nil })
		if end.code < 0 || end.code > 255 || err != nil && end != (ending{}) {
			t.Errorf("%q: %+v, %v", news, end, err)
		}
	})
}

func TestSignal(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]syscall.Signal{
		0: 0, 1: 0, 127: 0, 128: 0, 255: 0, 128 + 9: syscall.SIGKILL, 128 + 15: syscall.SIGTERM, 128 + 64: 64, 128 + 65: 0,
		128 + int(syscall.SIGSTOP): 0, 128 + int(syscall.SIGCHLD): 0, // no process ends by these
	} {
		if got := (ending{code: code}).signal(); got != want {
			t.Errorf("%d: got %v, want %v", code, got, want)
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	with := []byte(`{"host": "h", "agent": true}`)
	o, err := newOrder(sdk.Spec{Text: "true", With: with, Env: []string{"A=it's\nb", "HOME=/here", "LANG=C", "FLOWCTL_OUTPUT=/o", "FLOWCTL_WORK=/w"}}, []string{"HOME=/here", "LANG=de"})
	want := `export A='it'\''s
b'
export LANG='C'
export FLOWCTL_WORK="$PWD/work" FLOWCTL_OUTPUT="$PWD/output"
set -- "$PWD"
cd "../../trees/$(cat tree)" || exit 127
exec '/bin/sh' "$1/text"
`
	if err != nil || o.Task != want || o.Output != "/o" || o.Grace != sdk.DefaultGrace {
		t.Errorf("%+v, %v, want the task %q", o, err, want)
	}
	if _, err := newOrder(sdk.Spec{Text: "true", With: with, Env: []string{"a.b=c"}}, nil); err == nil || !strings.Contains(err.Error(), `"a.b"`) {
		t.Errorf("a name that no shell takes: %v", err)
	}
}

// TestCommandTellsHowLongTheFarHalfGoesOn: leases of attempts end so much earlier.
func TestCommandTellsHowLongTheFarHalfGoesOn(t *testing.T) {
	t.Parallel()
	c, err := Runner{Near: []string{"near"}}.Command(sdk.Spec{Work: t.TempDir(), Text: "true", With: []byte(`{"host": "h", "agent": true, "lease": "2m"}`)})
	if err != nil || c.Elsewhere != 2*time.Minute+12*time.Second+margin {
		t.Errorf("%v, %v", c.Elsewhere, err)
	}
}

// What cannot be written is read all the same: a full disk must not stop the task.
func TestCounter(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	_ = r.CloseWithError(io.ErrShortWrite)
	c := &counter{to: w}
	for range 2 {
		if n, err := c.Write([]byte("abc")); n != 3 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if c.n != 6 || !errors.Is(c.err, io.ErrShortWrite) {
		t.Errorf("%+v", c)
	}
}
