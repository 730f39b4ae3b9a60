package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"flowctl/plugins/sdk"
)

// Sensor is the file sensor; its zero value is ready.
type Sensor struct{}

// Describe implements sdk.Plugin.
func (Sensor) Describe() sdk.Description {
	return sdk.Description{
		Name: "file", Version: "1", Kind: sdk.KindSensor, Schema: json.RawMessage(`{"type":"object","additionalProperties":false}`),
	}
}

// Validate implements sdk.Plugin.
func (Sensor) Validate(with json.RawMessage) []sdk.Problem {
	return sdk.DecodeWith(with, &struct{}{})
}

// Check implements sdk.Sensor.
func (Sensor) Check(ctx context.Context, base string, paths []string) ([]sdk.PathState, error) {
	states := make([]sdk.PathState, len(paths))
	for i, path := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		info, err := check(base, path)
		switch {
		case err != nil:
			states[i].Error = err.Error()
		case info != nil:
			states[i].Exists, states[i].Version = true, version(info)
		}
	}
	return states, nil
}

// check returns what answers for the path, nil when nothing does.
func check(base, path string) (fs.FileInfo, error) {
	name, err := resolve(base, path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // a file where the path has a folder
		return nil, nil
	}
	return info, err
}

// version tells the states of a file apart: it is written anew, or another one takes its place.
func version(info fs.FileInfo) string {
	inode := uint64(0)
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = s.Ino
	}
	return fmt.Sprintf("%d-%d-%d", info.ModTime().UnixNano(), info.Size(), inode)
}

// resolve returns the file whose existence answers for the path.
func resolve(base, path string) (string, error) {
	name := path
	if strings.HasPrefix(path, "file:") {
		u, err := url.Parse(path)
		if err != nil {
			return "", fmt.Errorf("path %q: %w", path, err)
		}
		if u.Host != "" && u.Host != "localhost" {
			return "", fmt.Errorf("path %q names the host %q: write file:///path for a local file", path, u.Host)
		}
		name = u.Path
	} else if scheme, _, ok := strings.Cut(path, "://"); ok {
		return "", fmt.Errorf("path %q: the file sensor does not know %s://", path, scheme)
	}
	if name == "" {
		return "", fmt.Errorf("path %q names no file", path)
	}
	name = sdk.Answering(name)
	if !filepath.IsAbs(name) {
		if !filepath.IsAbs(base) {
			return "", fmt.Errorf("path %q is relative, and there is no folder to resolve it against", path)
		}
		name = filepath.Join(base, name)
	}
	return name, nil
}
