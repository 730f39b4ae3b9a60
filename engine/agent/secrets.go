package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"flowctl/dsl/flow"
	"flowctl/engine/wire"
)

// secretVariable begins the names of environment variables that hold secrets: FLOWCTL_SECRET_HIVE_PROD is the secret hive-prod.
const secretVariable = "FLOWCTL_SECRET_"

// shortestMasked is the length in bytes below which a secret is not masked: it would stand everywhere.
const shortestMasked = 4

// secrets are the values that this host has for the names that flows use.
type secrets struct {
	dir     string // holds a file for each
	environ []string

	mu    sync.Mutex
	known map[string]bool // what is masked: values that were there since the agent began, and their lines
}

func newSecrets(dir string, environ []string) *secrets {
	s := &secrets{dir: dir, known: map[string]bool{}}
	for _, v := range environ {
		if strings.HasPrefix(v, secretVariable) {
			s.environ = append(s.environ, v)
			_, value, _ := strings.Cut(v, "=")
			s.learn(value)
		}
	}
	return s
}

// lookup returns the value of a secret: that of its variable, else of its file, without the end of its last line.
func (s *secrets) lookup(name string) (string, error) {
	variable := secretVariable + strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToUpper(name))
	for _, v := range s.environ {
		if value, ok := strings.CutPrefix(v, variable+"="); ok {
			return value, nil
		}
	}
	path := filepath.Join(s.dir, filepath.Base(name))
	value, err := s.read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the secret %s is not known on this agent: set %s in its environment, or write %s", name, variable, path)
	}
	if err != nil {
		return "", fmt.Errorf("the secret %s: %w", name, err)
	}
	return value, nil
}

func (s *secrets) read(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.learn(value)
	return value, nil
}

// learn has a value masked, and each of its lines, for a key is printed line by line. It is called with mu held, or before there are others.
func (s *secrets) learn(value string) {
	for _, text := range append(strings.Split(value, "\n"), value) {
		if text = strings.TrimSuffix(text, "\r"); len(text) >= shortestMasked {
			s.known[text] = true
		}
	}
}

// masked lists what is masked now. Files that came since are read.
func (s *secrets) masked() [][]byte {
	files, _ := os.ReadDir(s.dir) // none: nobody wrote one
	for _, f := range files {
		_, _ = s.read(filepath.Join(s.dir, f.Name())) // a task that needs it says why it cannot be read
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) == 0 {
		return nil
	}
	all := make([][]byte, 0, len(s.known))
	for text := range s.known {
		all = append(all, []byte(text))
	}
	return all
}

// text masks a whole text.
func (s *secrets) text(t string) string {
	if t == "" {
		return t
	}
	return masked(t, s.masked())
}

func masked(t string, secrets [][]byte) string {
	if len(secrets) == 0 {
		return t
	}
	b := []byte(t)
	mask(b, []byte(t), secrets, 0, len(b))
	return string(b)
}

// mask writes asterisks into b wherever an occurrence of a secret covers its source, of which the first lead bytes are covered too. It
// returns how far those reach that begin before split.
func mask(b, source []byte, secrets [][]byte, lead, split int) (reach int) {
	cover := func(from, to int) {
		for i := from; i < to; i++ {
			b[i] = '*'
		}
		if from < split {
			reach = max(reach, to)
		}
	}
	cover(0, lead)
	for _, secret := range secrets {
		for from := 0; ; {
			i := bytes.Index(source[from:], secret)
			if i < 0 {
				break
			}
			cover(from+i, from+i+len(secret))
			from += i + 1 // another may overlap it
		}
	}
	return reach
}

// reveal puts secrets into the environment and the settings of an assignment.
func (s *secrets) reveal(w *wire.Assignment) (env []string, with string, err error) {
	env, with = w.Env, w.With
	if slices.ContainsFunc(env, func(v string) bool { return len(flow.SecretsIn(v)) > 0 }) {
		env = slices.Clone(env)
		for i, v := range env {
			if env[i], err = flow.Reveal(v, s.lookup); err != nil {
				return nil, "", err
			}
		}
	}
	if !strings.Contains(with, `\u0000`) { // as JSON writes the NUL of a mark
		return env, with, nil
	}
	var settings any
	d := json.NewDecoder(strings.NewReader(with))
	d.UseNumber()
	if err := d.Decode(&settings); err != nil {
		return nil, "", fmt.Errorf("with: %w", err)
	}
	if settings, err = s.within(settings); err != nil {
		return nil, "", err
	}
	b, err := json.Marshal(settings)
	return env, string(b), err
}

// within reveals the texts of a JSON value.
func (s *secrets) within(v any) (_ any, err error) {
	switch v := v.(type) {
	case string:
		return flow.Reveal(v, s.lookup)
	case []any:
		for i := range v {
			if v[i], err = s.within(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = s.within(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}
