package workload

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Folder returns the folder of the recorded facts, or false when the environment names none.
func Folder() (string, bool) {
	folder := os.Getenv("FLOWCTL_WORKLOADS")
	return folder, folder != ""
}

// Repository is a flows repository in memory: content by slash-separated path.
type Repository map[string][]byte

// Write puts the files of a repository below folder, which need not exist.
func Write(folder string, r Repository) error {
	for path, content := range r {
		path = filepath.Join(folder, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write repository: %w", err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("write repository: %w", err)
		}
	}
	return nil
}

func readFacts(folder, name string, into any) error {
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return fmt.Errorf("read workload: %w", err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read workload %s: %w", name, err)
	}
	return nil
}
