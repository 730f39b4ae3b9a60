package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// lock takes the file for this process and writes the process's number into it. The kernel frees it when the returned file is
// closed or the process ends; child processes do not inherit it.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := io.ReadAll(io.LimitReader(f, 20)) //nolint:errcheck // only embellishes the error
		f.Close()                                      //nolint:errcheck // nothing was written
		return nil, fmt.Errorf("another flowctl server (process %s) uses this data folder, see %s: stop it, or choose another folder with --data",
			strings.TrimSpace(string(holder)), path)
	}
	if err == nil {
		err = errors.Join(f.Truncate(0), write(f, fmt.Sprintf("%d\n", os.Getpid())))
	}
	if err != nil {
		f.Close() //nolint:errcheck // the first error counts
		return nil, fmt.Errorf("lock the data folder: %s: %w", path, err)
	}
	return f, nil
}

func write(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}
