package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// ErrRefused is wrapped by errors that say that this agent may not run anything as a user, for reasons that lie outside of flowctl.
var ErrRefused = errors.New("sudo refuses")

// User is a user of the operating system.
type User struct {
	Name, Home string

	uid, gid uint32
	groups   []uint32
	sudo     string // the program; empty: this process is root
}

// Lookup finds a user; nil: it is the one whom this process belongs to.
func Lookup(name string) (*User, error) {
	found, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	groups, err := found.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("list the groups of user %s: %w", name, err)
	}
	var ids []uint32
	for _, text := range append([]string{found.Uid, found.Gid}, groups...) {
		id, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %s: %q is no id", name, text)
		}
		ids = append(ids, uint32(id))
	}
	u := &User{Name: name, Home: found.HomeDir, uid: ids[0], gid: ids[1], groups: ids[2:]}
	switch self := os.Getuid(); {
	case int(u.uid) == self:
		return nil, nil
	case self != 0:
		if u.sudo, err = exec.LookPath("sudo"); err != nil {
			return nil, fmt.Errorf("%w: run as %s: only root can without sudo, which is not installed: %v", ErrRefused, name, err)
		}
	}
	return u, nil
}

// BySudo tells whether it is sudo that lets this process run others as the user.
func (u *User) BySudo() bool { return u.sudo != "" }

// Command is exec.Command, as the user. Sudo passes neither an environment on nor descriptors other than the first three.
func (u *User) Command(ctx context.Context, args ...string) *exec.Cmd {
	if u.BySudo() {
		return exec.CommandContext(ctx, u.sudo, append([]string{"-n", "-u", u.Name, "--"}, args...)...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: u.uid, Gid: u.gid, Groups: u.groups}}
	return cmd
}

// Refusal is the error of a command as the user that failed before it did anything, given what was said on stderr.
func (u *User) Refusal(said string) error {
	said = strings.Join(strings.Fields(said), " ")
	return fmt.Errorf("%w to run flowctl as user %s for this agent, which is user %s (see sudo -l -U there): %.300s", ErrRefused, u.Name, own(), said)
}

// own names the user whom this process belongs to.
func own() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

// Give opens a file or folder of this process to the user, who may change what is in it, and to nobody else.
func (u *User) Give(path string) error {
	if !u.BySudo() {
		return os.Lchown(path, int(u.uid), int(u.gid))
	}
	if err := u.share(path, read|write|enter); err != nil {
		return fmt.Errorf("open %s to user %s: %w", path, u.Name, err)
	}
	return nil
}

// Show opens a folder of this process to the user, who is to look at what is in it, and to nobody else.
func (u *User) Show(dir string) error {
	if !u.BySudo() {
		return os.Lchown(dir, int(u.uid), int(u.gid))
	}
	if err := u.share(dir, read|enter); err != nil {
		return fmt.Errorf("open %s to user %s: %w", dir, u.Name, err)
	}
	return nil
}

// Owns tells whether a file is the user's.
func (u *User) Owns(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.Uid == u.uid
}

// Dial connects to a socket of which the user wrote where it is. It refuses one that a process of anybody else listens on.
func (u *User) Dial(ctx context.Context, path string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	uid, err := peer(conn.(*net.UnixConn))
	if err == nil && uid != u.uid {
		err = fmt.Errorf("the process at %s is not one of user %s, but of user id %d", path, u.Name, uid)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// shared are the variables that say nothing of whose they are.
var shared = []string{
	"PATH", "LANG", "LANGUAGE", "TZ", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
}

// Environ is the user's environment, given that of this process: what may be secrets, or is about this process's own user, is left out.
func (u *User) Environ(env []string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return !slices.Contains(shared, name) && !strings.HasPrefix(name, "LC_")
	})
	return append(env, "HOME="+u.Home, "USER="+u.Name, "LOGNAME="+u.Name, "SHELL=/bin/sh")
}
