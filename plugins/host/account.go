package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"google.golang.org/grpc"

	"flowctl/plugins/account"
	"flowctl/plugins/keeper"
)

// accountOf returns whose plugin processes a folder is for; nil: the host's own. Its name is PLUGIN or PLUGIN@USER.
func accountOf(dir string) (*account.User, error) {
	_, name, ok := strings.Cut(filepath.Base(dir), "@")
	if !ok {
		return nil, nil
	}
	return account.Lookup(name)
}

// Clear removes what processes of a user left in a folder that the host cannot empty itself: a user can close folders to an agent that is not root.
func (h *Host) Clear(ctx context.Context, user, dir string) error {
	who, err := account.Lookup(user)
	if err != nil || who == nil {
		return err
	}
	return h.as(ctx, who, "clear", dir)
}

// as has a verb of flowctl's done by a user.
func (h *Host) as(ctx context.Context, who *account.User, verb ...string) error {
	if said, err := who.Command(ctx, append([]string{h.options.Self, "plugin"}, verb...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s as user %s: %w: %.300s", strings.Join(verb, " "), who.Name, err, strings.TrimSpace(string(said)))
	}
	return nil
}

// end has the user of a plugin process kill it, and tells whether that is the user's to do: only root may kill the processes of others.
func (h *Host) end(dir string, who *account.User, how ...string) bool {
	if who == nil || !who.BySudo() {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*stopTime)
	defer cancel()
	if err := h.as(ctx, who, append(how, dir)...); err != nil {
		h.options.Log.Warn("a plugin process could not be killed", "folder", dir, "error", err)
	}
	return true
}

// dialer connects to a plugin process of an account, and to nothing else that the account might have written into its card.
func dialer(who *account.User, card keeper.Reattach) []grpc.DialOption {
	if who == nil {
		return nil
	}
	return []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return who.Dial(ctx, card.Address) })}
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
