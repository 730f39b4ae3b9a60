package host

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// account is a user of the operating system whose process a plugin is to be.
type account struct {
	name, home string
	credential *syscall.Credential
}

// lookup finds a user other than the host's own.
func lookup(name string) (*account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("list the groups of user %s: %w", name, err)
	}
	var ids []uint32
	for _, text := range append([]string{u.Uid, u.Gid}, groups...) {
		id, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %s: %q is no id", name, text)
		}
		ids = append(ids, uint32(id))
	}
	if os.Getuid() != 0 {
		return nil, fmt.Errorf("only root can launch plugins as user %s", name)
	}
	return &account{name: name, home: u.HomeDir, credential: &syscall.Credential{Uid: ids[0], Gid: ids[1], Groups: ids[2:]}}, nil
}

// give makes a file or folder the account's own.
func (a *account) give(path string) error {
	return os.Lchown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// environment is that of the host, with what is the user's own.
func (a *account) environment(env []string) []string {
	own := []string{"HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "XDG_RUNTIME_DIR"}
	env = slices.DeleteFunc(env, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(own, name)
	})
	return append(env, "HOME="+a.home, "USER="+a.name, "LOGNAME="+a.name, "SHELL=/bin/sh")
}

// pass lets other users through folders, which they cannot list.
func pass(dirs ...string) error {
	var errs []error
	for _, dir := range dirs {
		errs = append(errs, os.Chmod(dir, 0o711))
	}
	return errors.Join(errs...)
}

// sameOwner tells whether two paths belong to one user.
func sameOwner(a, b string) bool {
	owner := func(path string) (uint32, bool) {
		info, err := os.Lstat(path)
		if err != nil {
			return 0, false
		}
		s, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return 0, false
		}
		return s.Uid, true
	}
	x, okX := owner(a)
	y, okY := owner(b)
	return okX && okY && x == y
}
