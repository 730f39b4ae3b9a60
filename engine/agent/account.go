package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flowctl/plugins/account"
)

// Attempts of other users run in plugin processes of theirs (package host). Where these work, in DATA/accounts/NAME and in the folders of their attempts,
// nobody but they and the agent can look; the agent trusts nothing that it finds there.

// through is the mode of folders that everybody may pass and nobody may list.
const through fs.FileMode = 0o711

// openUp makes the way for the users as whom attempts may run.
func (a *Agent) openUp() error {
	others := false
	for _, name := range a.opts.Users {
		who, err := account.Lookup(name)
		if err != nil {
			return fmt.Errorf("allow account %s: %w", name, err)
		}
		if who == nil {
			continue
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

// makeOwn makes a folder for a user alone.
func makeOwn(dir string, who *account.User) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return who.Give(dir)
}

// userOf returns the account of an attempt, nil for the agent's own.
func (a *Agent) userOf(name string) (*account.User, error) {
	switch {
	case name == "":
		return nil, nil
	case !slices.Contains(a.opts.Users, name):
		return nil, fmt.Errorf("this agent runs no tasks as %s: start it with --allow-account %s", name, name)
	}
	return account.Lookup(name)
}

// ownWork is the folder within that of an attempt of another account that is the account's, and all of it that the account can see.
const ownWork = "task"

// makeAccountFolder makes the folder of an attempt of another account. It appears whole.
func (a *Agent) makeAccountFolder(at *attempt) error {
	tree := filepath.Dir(at.folder)
	fresh := filepath.Join(tree, ".new-"+filepath.Base(at.folder))
	if err := errors.Join(makeThrough(filepath.Dir(tree)), makeThrough(tree), os.RemoveAll(fresh), a.remove(at.folder)); err != nil {
		return err
	}
	if err := errors.Join(makeThrough(fresh), makeOwn(filepath.Join(fresh, ownWork), at.user)); err != nil {
		return err
	}
	return os.Rename(fresh, at.folder)
}

// usable tells of an attempt of another account whether this agent may run anything as the account now: an error says that it must go back.
func (a *Agent) usable(at *attempt) error {
	if at.user == nil {
		return nil
	}
	_, err := a.launch(at)
	if errors.Is(err, account.ErrRefused) {
		return err
	}
	return nil // what else is wrong is found at the start
}

// ofAccount tells whether the folder of an attempt is that of one of another account.
func ofAccount(folder string) bool {
	return strings.Contains(filepath.Base(filepath.Dir(filepath.Dir(folder))), "@")
}

// remove removes the folder of an attempt. Where the agent is not root, an account can have closed folders to it.
func (a *Agent) remove(folder string) error {
	err := os.RemoveAll(folder)
	if _, user, ok := strings.Cut(filepath.Base(filepath.Dir(filepath.Dir(folder))), "@"); err != nil && ok {
		err = errors.Join(a.opts.Plugins.Clear(a.ctx, user, filepath.Join(folder, ownWork)), os.RemoveAll(folder))
	}
	return err
}

// userEnv is what attempts of an account see of the agent's environment.
func (a *Agent) userEnv(who *account.User) []string {
	if who == nil {
		return a.env
	}
	return append(who.Environ(a.env), "FLOWCTL_WORKSPACE="+filepath.Join(a.accountDir(who.Name), "workspace"))
}
