package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// account is a user of the operating system as whom attempts run. The plugin process that executes them is the user's own (package host). Where
// the user's processes work, in DATA/accounts/NAME and in the folders of its attempts, nobody else can look; the agent, which is root, trusts
// nothing that it finds there.
type account struct {
	name, home, shell string
	uid, gid          int
}

// lookup finds a user; nil: it is the agent's own.
func lookup(name string) (*account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, fmt.Errorf("user %s has the id %q, which is no number", name, u.Uid)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, fmt.Errorf("user %s has the group %q, which is no number", name, u.Gid)
	}
	if uid == os.Getuid() {
		return nil, nil
	}
	return &account{name: name, home: u.HomeDir, shell: "/bin/sh", uid: uid, gid: gid}, nil
}

// through is the mode of folders that everybody may pass and nobody may list.
const through fs.FileMode = 0o711

// openUp makes the way for the users as whom attempts may run.
func (a *Agent) openUp() error {
	others := false
	for _, name := range a.opts.Users {
		who, err := lookup(name)
		if err != nil {
			return fmt.Errorf("allow account %s: %w", name, err)
		}
		if who == nil {
			continue
		}
		if os.Getuid() != 0 {
			return fmt.Errorf("allow account %s: only an agent that runs as root can run tasks as others", name)
		}
		others = true
		own := a.accountDir(name)
		if err := errors.Join(
			makeThrough(filepath.Dir(own)), makeThrough(own), makeThrough(filepath.Join(own, "trees")), makeOwn(filepath.Join(own, "workspace"), who),
		); err != nil {
			return fmt.Errorf("make the folders of account %s: %w", name, err)
		}
	}
	if !others {
		return nil
	}
	if err := errors.Join(makeThrough(a.opts.Dir), makeThrough(filepath.Join(a.opts.Dir, "work"))); err != nil {
		return err
	}
	for dir := filepath.Dir(a.opts.Dir); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode()&0o001 == 0 {
			return fmt.Errorf("other accounts cannot pass %s, above the agent's data: chmod o+x it, or give another --data", dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func (a *Agent) accountDir(name string) string { return filepath.Join(a.opts.Dir, "accounts", name) }

// makeThrough makes a folder that others may pass.
func makeThrough(dir string) error {
	if err := os.Mkdir(dir, through); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(dir, through) // whatever the umask
}

// makeOwn makes a folder that belongs to a user alone.
func makeOwn(dir string, who *account) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Lchown(dir, who.uid, who.gid)
}

// userOf returns the account of an attempt, nil for the agent's own.
func (a *Agent) userOf(name string) (*account, error) {
	switch {
	case name == "":
		return nil, nil
	case !slices.Contains(a.opts.Users, name):
		return nil, fmt.Errorf("this agent runs no tasks as %s: start it with --allow-account %s", name, name)
	}
	return lookup(name)
}

// folders of an attempt of another account: work is within folder, belongs to the account, and is all of it that the account can see.
const ownWork = "task"

// makeAccountFolder makes the folder of an attempt of another account. It appears whole.
func (a *Agent) makeAccountFolder(at *attempt) error {
	tree := filepath.Dir(at.folder)
	fresh := filepath.Join(tree, ".new-"+filepath.Base(at.folder))
	if err := errors.Join(makeThrough(filepath.Dir(tree)), makeThrough(tree), os.RemoveAll(fresh), os.RemoveAll(at.folder)); err != nil {
		return err
	}
	if err := errors.Join(makeThrough(fresh), makeOwn(filepath.Join(fresh, ownWork), at.user)); err != nil {
		return err
	}
	return os.Rename(fresh, at.folder)
}

// userEnv is what attempts of an account see of the agent's environment.
func (a *Agent) userEnv(who *account) []string {
	if who == nil {
		return a.env
	}
	own := []string{
		"HOME=" + who.home, "USER=" + who.name, "LOGNAME=" + who.name, "SHELL=" + who.shell,
		"FLOWCTL_WORKSPACE=" + filepath.Join(a.accountDir(who.name), "workspace"),
	}
	env := slices.DeleteFunc(slices.Clone(a.env), func(v string) bool { return overridden(v, own) || strings.HasPrefix(v, "TMPDIR=") })
	return append(env, own...)
}
