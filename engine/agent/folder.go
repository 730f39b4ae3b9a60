package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/proto"

	"flowctl/engine"
	"flowctl/engine/wire"
)

// The agent's files in the folder of an attempt. The runner has its own beside them.
const (
	assignmentFile = "assignment" // wire.Assignment; complete before the runner is called
	resultFile     = "result"     // wire.Result; only of attempts whose runner cannot tell how they ended
	outputFile     = "output"     // FLOWCTL_OUTPUT
)

func (a *Agent) folder(id engine.AttemptID) string {
	return filepath.Join(a.opts.Dir, "work", strconv.FormatInt(int64(id), 10))
}

// makeFolder makes the folder of an attempt and writes its assignment. What a past life left there was not started, or the
// attempt would be known.
func makeFolder(folder string, w *wire.Assignment) error {
	err := os.Mkdir(folder, 0o700)
	if errors.Is(err, fs.ErrExist) {
		err = errors.Join(os.RemoveAll(folder), os.Mkdir(folder, 0o700))
	}
	if err != nil {
		return err
	}
	return writeMessage(filepath.Join(folder, assignmentFile), w)
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

// readFolder reads the assignment of an attempt. ok is false when there is none that is whole, so that nothing was
// started.
func readFolder(folder string, id engine.AttemptID) (w *wire.Assignment, ok bool) {
	w = new(wire.Assignment)
	err := readMessage(filepath.Join(folder, assignmentFile), w)
	return w, err == nil && w.Attempt == int64(id) && w.Runner != ""
}

// readResult reads the result that the agent itself has found for an attempt.
func readResult(folder string) (engine.Result, bool) {
	w := new(wire.Result)
	err := readMessage(filepath.Join(folder, resultFile), w)
	return wire.ToResult(w), err == nil && w.State != ""
}
