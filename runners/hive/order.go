package hive

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/beltran/gohive/hiveserver"

	"flowctl/plugins/sdk"
)

// The files of the runner in the attempt's work folder. Both may hold secrets.
const (
	orderFile  = "hive.json"
	recordFile = "hive-session.json"
)

// order is what Session does.
type order struct {
	With       json.RawMessage   `json:"with"`
	Script     string            `json:"script"` // its name, for messages
	Statements []statement       `json:"statements"`
	Variables  map[string]string `json:"variables"`
}

// record is what of the attempt may be on the server. It is there as long as something is.
type record struct {
	Session   *hiveserver.TSessionHandle   `json:"session"`
	Operation *hiveserver.TOperationHandle `json:"operation"` // nil: none, or it is not known
}

func newOrder(spec sdk.Spec) (order, error) {
	if _, err := checked(spec.With); err != nil {
		return order{}, err
	}
	o := order{With: spec.With, Script: "run", Variables: map[string]string{}}
	for _, e := range spec.Env {
		name, value, _ := strings.Cut(e, "=")
		switch name {
		case "FLOWCTL_OUTPUT", "FLOWCTL_WORK", "FLOWCTL_WORKSPACE": // paths that mean nothing to the server
		default:
			if strings.HasPrefix(name, "FLOWCTL_") {
				o.Variables[name] = value
			}
		}
	}
	for i, a := range spec.Args {
		switch {
		case a.Name == "":
			return order{}, fmt.Errorf("args: argument %d has no name: write {name: value}, which is ${name} in the script", i+1)
		case strings.ContainsAny(a.Name, " \t\n${}:="):
			return order{}, fmt.Errorf("args: %q cannot be the name of a variable: use letters, digits and _", a.Name)
		case strings.Contains(a.Value, "${"):
			return order{}, fmt.Errorf("args: the value of %s holds ${, which Hive would replace: pass what it stands for, or quote() it", a.Name)
		}
		o.Variables[a.Name] = a.Value
	}
	text := spec.Text
	if spec.File != "" {
		b, err := os.ReadFile(spec.File)
		if err != nil {
			return order{}, err
		}
		text, o.Script = string(b), filepath.Base(spec.File)
	}
	var err error
	if o.Statements, err = split(text); err != nil {
		return order{}, fmt.Errorf("%s: %w", o.Script, err)
	}
	if len(o.Statements) == 0 {
		return order{}, fmt.Errorf("%s holds no statement", o.Script)
	}
	return o, nil
}

// configuration is what a session is opened with, in the words of HiveServer2's JDBC driver.
func (o order) configuration(s settings) map[string]string {
	all := make(map[string]string, len(o.Variables)+len(s.Settings)+1)
	for name, value := range s.Settings {
		all["set:hiveconf:"+name] = string(value)
	}
	for name, value := range o.Variables {
		all["set:hivevar:"+name] = value
	}
	if s.Database != "" {
		all["use:database"] = s.Database
	}
	return all
}

// write replaces a file of a folder, with a value as JSON.
func write(dir, name string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func read(dir, name string, into any) error {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// remaining returns the order and what may be on the server; false: nothing is.
func remaining(work string) (o order, r record, left bool, err error) {
	switch err := read(work, recordFile, &r); {
	case errors.Is(err, os.ErrNotExist):
		return order{}, record{}, false, nil
	case err != nil:
		return order{}, record{}, false, err
	}
	err = read(work, orderFile, &o)
	return o, r, err == nil, err
}
