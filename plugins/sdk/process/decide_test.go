package process

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk"
)

type nothing struct{}

func (nothing) Describe() sdk.Description              { return sdk.Description{} }
func (nothing) Validate(json.RawMessage) []sdk.Problem { return nil }
func (nothing) Command(sdk.Spec) (Command, error)      { return Command{Path: "/bin/true"}, nil }

// A plugin that died between the record of a start and the process leaves an attempt that can be started again.
func TestPluginDiedBeforeTheProcess(t *testing.T) {
	t.Parallel()
	boot, err := proc.BootID()
	if err != nil {
		t.Fatal(err)
	}
	for name, intended := range map[string]bool{"before its journal": false, "before its fork": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dead, work := t.TempDir(), t.TempDir()
			if err := write(work, startFile, card{Version: recordVersion, Boot: boot, Home: dead}); err != nil {
				t.Fatal(err)
			}
			var journal []byte
			if intended {
				journal = appendIntent(nil, Begun{Work: work, From: 1})
			}
			if err := os.WriteFile(filepath.Join(dead, journalFile), journal, 0o600); err != nil {
				t.Fatal(err)
			}
			keeper, err := lockFile(filepath.Join(dead, KeeperLock))
			if err != nil {
				t.Fatal(err)
			}
			defer keeper.Close() //nolint:errcheck // it only frees the lock
			r, err := Open(t.TempDir(), nothing{})
			if err != nil {
				t.Fatal(err)
			}
			if intended { // it is the keeper's to say
				soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				defer cancel()
				if found, err := r.Recover(soon, work); err == nil {
					t.Fatalf("%v before the keeper has said so", found)
				}
				SettleUnknown(dead, Begun{Work: work, From: 1})
			}
			if found, err := r.Recover(t.Context(), work); err != nil || found != sdk.NotStarted {
				t.Errorf("recover: %v, %v; want not started", found, err)
			}
		})
	}
}

func TestNotePIDAfterACutLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := Begun{Work: "/w", From: 5}
	if err := os.WriteFile(filepath.Join(dir, journalFile), append(appendIntent(nil, b), "p 12"...), 0o600); err != nil {
		t.Fatal(err)
	}
	b.PID, b.To = 123, 7
	if err := NotePID(dir, b); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadJournal(dir); err != nil || len(got) != 1 || got[0] != b {
		t.Errorf("got %+v, %v; want %+v", got, err, b)
	}
}
