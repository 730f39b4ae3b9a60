package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"flowctl/dsl"
	"flowctl/dsl/flow"
	"flowctl/engine/wire"
)

// pins returns the SHA-256 of the executables that a third party's plugin of that name may be; none when it is not locked.
type pins func(plugin string) ([]string, error)

// pinsOf are those that the server sent.
func pinsOf(sent []*wire.Pin) pins {
	return func(plugin string) ([]string, error) {
		for _, p := range sent {
			if p.Name == plugin {
				return p.Sha256, nil
			}
		}
		return nil, nil
	}
}

// launch returns the runner that an attempt is to be started by.
func (a *Agent) launch(at *attempt) (Runner, error) {
	sums, err := a.trees.pins(at.tree, flow.RunnerPlugin, at.runner)
	if err != nil {
		return nil, err
	}
	return a.opts.Plugins.Runner(a.ctx, at.runner, at.as(), sums)
}

// holder returns the runner of an attempt that was started.
func (a *Agent) holder(ctx context.Context, at *attempt) (Runner, error) {
	sums, err := a.trees.pins(at.tree, flow.RunnerPlugin, at.runner)
	if err != nil {
		return nil, err
	}
	return a.opts.Plugins.Holder(ctx, at.runner, at.as(), sums)
}

// sensorsOf returns the pins of the sensors of an attempt's revision.
func (a *Agent) sensorsOf(at *attempt) pins {
	return func(plugin string) ([]string, error) { return a.trees.pins(at.tree, flow.SensorPlugin, plugin) }
}

// pins looks a plugin up in the plugins.lock of a tree.
func (t *trees) pins(tree string, kind flow.PluginKind, plugin string) ([]string, error) {
	locked, err := t.lockOf(tree)
	if err != nil {
		return nil, err
	}
	for _, l := range locked {
		if l.Kind == kind && l.Name == plugin {
			return l.SHA256, nil
		}
	}
	return nil, nil
}

// lockOf returns what the plugins.lock of a tree holds. It is read once, since trees do not change.
func (t *trees) lockOf(name string) ([]dsl.LockedPlugin, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.known[name]
	if k != nil && k.lock != nil {
		return k.lock, nil
	}
	text, err := os.ReadFile(filepath.Join(t.dir, name, treeRoot, dsl.LockFile))
	locked := []dsl.LockedPlugin{}
	if err == nil {
		locked, err = dsl.ReadLock(text)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if k != nil && k.ready {
		k.lock = locked
	}
	return locked, nil
}
