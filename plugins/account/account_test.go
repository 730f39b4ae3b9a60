package account

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	if _, err := Lookup("no-such-user"); err == nil {
		t.Error("it found no-such-user")
	}
	if u, err := Lookup(own()); u != nil || err != nil {
		t.Errorf("this process's own user is %v, %v", u, err)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	u := &User{Name: "etl", uid: 7, gid: 8, sudo: "/usr/bin/sudo"}
	if got := u.Command(t.Context(), "flowctl", "plugin").Args; !slices.Equal(got, []string{"/usr/bin/sudo", "-n", "-u", "etl", "--", "flowctl", "plugin"}) {
		t.Errorf("by sudo: %q", got)
	}
	u.sudo = ""
	cmd := u.Command(t.Context(), "flowctl", "plugin")
	if c := cmd.SysProcAttr.Credential; !slices.Equal(cmd.Args, []string{"flowctl", "plugin"}) || c.Uid != 7 || c.Gid != 8 {
		t.Errorf("by root: %q as %+v", cmd.Args, c)
	}
}

func TestEnviron(t *testing.T) {
	t.Parallel()
	u := &User{Name: "etl", Home: "/home/etl"}
	got := u.Environ([]string{"PATH=/bin", "AWS_SECRET_ACCESS_KEY=x", "HOME=/root", "LC_ALL=C", "XDG_RUNTIME_DIR=/run/user/0"})
	if want := "PATH=/bin LC_ALL=C HOME=/home/etl USER=etl LOGNAME=etl SHELL=/bin/sh"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDialRefusesTheSocketsOfOthers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	self := &User{Name: "self", uid: uint32(os.Getuid())}
	conn, err := self.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	other := &User{Name: "other", uid: uint32(os.Getuid()) + 1}
	if _, err := other.Dial(t.Context(), path); err == nil || !strings.Contains(err.Error(), "not one of user other") {
		t.Errorf("got %v", err)
	}
}
