package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"flowctl/engine"
	"flowctl/engine/wire"
	"flowctl/plugins/account"
)

// The agent's files in the folder of an attempt. The runner has its own beside them.
const (
	resultFile = "result" // wire.Result; only of attempts whose runner cannot tell how they ended
	outputFile = "output" // FLOWCTL_OUTPUT
	leaseFile  = "lease"  // how long its lease is, if it has one
	// markerFile holds, of attempts that succeed by their outputs, the version of each before the start, by path. It is there for the agent that
	// sees the end, which may be another one.
	markerFile = "markers"
)

// validName is the form of all names of the product. Trees and runners name folders here.
var validName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$`)

// newAttempt returns an attempt with its folder, work/RUNNER/TREE/ID, or work/RUNNER@USER/TREE/ID when it runs as another user. The path is all that
// the agent has to remember of an attempt that was started, so making the folder is recording the start: one atomic step, and the
// cheapest there is.
func (a *Agent) newAttempt(id engine.AttemptID, runner, tree string, who *account.User) *attempt {
	at := &attempt{id: id, runner: runner, tree: tree, user: who}
	folder := runner
	if who != nil {
		folder += "@" + who.Name
	}
	at.folder = filepath.Join(a.opts.Dir, "work", folder, tree, strconv.FormatInt(int64(id), 10))
	if at.work = at.folder; who != nil {
		at.work = filepath.Join(at.folder, ownWork)
	}
	return at
}

// makeFolder makes the folder of an attempt, empty. What a past life left there was not started, or the attempt would be
// known.
func (a *Agent) makeFolder(at *attempt) error {
	if at.user != nil {
		return a.makeAccountFolder(at)
	}
	folder := at.folder
	if a.trash.reuse(folder) {
		return nil
	}
	err := os.Mkdir(folder, 0o700)
	switch {
	case errors.Is(err, fs.ErrExist):
		return errors.Join(os.RemoveAll(folder), os.Mkdir(folder, 0o700))
	case errors.Is(err, fs.ErrNotExist): // the first of its runner and tree
		return os.MkdirAll(folder, 0o700)
	}
	return err
}

// foundAttempts returns the attempts that have a folder, and removes everything else from work.
func (a *Agent) foundAttempts() ([]*attempt, error) {
	work := filepath.Join(a.opts.Dir, "work")
	paths, err := filepath.Glob(filepath.Join(work, "*", "*", "*"))
	if err != nil {
		return nil, err
	}
	var found []*attempt
	for _, p := range paths {
		tree := filepath.Dir(p)
		runner := filepath.Dir(tree)
		id, err := strconv.ParseInt(filepath.Base(p), 10, 64)
		if err != nil {
			if err := os.RemoveAll(p); err != nil {
				return nil, err
			}
			continue
		}
		name, as, _ := strings.Cut(filepath.Base(runner), "@")
		var who *account.User
		if as != "" {
			if who, err = account.Lookup(as); err != nil {
				return nil, fmt.Errorf("attempt %d runs as %s: %w", id, as, err)
			}
		}
		found = append(found, a.newAttempt(engine.AttemptID(id), name, filepath.Base(tree), who))
	}
	return found, nil
}

// removeEmptyFolders removes the folders of runners and trees that hold no attempt.
func (a *Agent) removeEmptyFolders() {
	for _, pattern := range []string{"work/*/*", "work/*"} {
		folders, _ := filepath.Glob(filepath.Join(a.opts.Dir, filepath.FromSlash(pattern))) // the pattern is well-formed
		for _, f := range folders {
			_ = os.Remove(f) // refused when it holds something
		}
	}
}

func writeMessage(path string, m proto.Message) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

func readMessage(path string, m proto.Message) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(data, m); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// readResult reads the result that the agent itself has found for an attempt.
func readResult(folder string) (engine.Result, bool) {
	w := new(wire.Result)
	err := readMessage(filepath.Join(folder, resultFile), w)
	return wire.ToResult(w), err == nil && w.State != ""
}
