package agent

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"flowctl/plugins/sdk"
)

// folderWith makes a folder with files; a name that ends in / is a folder.
func folderWith(t *testing.T, path string, names ...string) string {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		err := error(nil)
		if n[len(n)-1] == '/' {
			err = os.Mkdir(filepath.Join(path, n), 0o700)
		} else {
			err = os.WriteFile(filepath.Join(path, n), []byte(n), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestAnEmptyLogIsGivenOutAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tr, err := openTrash(dir)
	if err != nil {
		t.Fatal(err)
	}
	old := folderWith(t, filepath.Join(dir, "old"), "output")
	if err := os.WriteFile(filepath.Join(old, sdk.LogFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(dir, "new")
	if tr.recycle(old) != "" || !tr.reuse(fresh) {
		t.Fatal("the folder was not given out again")
	}
	left, err := os.ReadDir(fresh)
	if err != nil || len(left) != 1 || left[0].Name() != sdk.LogFile {
		t.Errorf("the new folder holds %v, %v; want the empty log alone", left, err)
	}
}

func TestFoldersAreGivenOutAgainEmpty(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tr, err := openTrash(dir)
	if err != nil {
		t.Fatal(err)
	}
	if tr.reuse(filepath.Join(dir, "x")) {
		t.Error("a folder came from nowhere")
	}
	old := folderWith(t, filepath.Join(dir, "old"), "log", ".hidden")
	if tr.recycle(old) != "" {
		t.Fatal("a plain folder was not kept")
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the old folder is still there: %v", err)
	}
	fresh := filepath.Join(dir, "new")
	if !tr.reuse(fresh) {
		t.Fatal("the spare folder was not used")
	}
	if left, err := os.ReadDir(fresh); err != nil || len(left) != 0 {
		t.Errorf("the new folder holds %v, %v", left, err)
	}
	if tr.reuse(filepath.Join(dir, "y")) {
		t.Error("one folder was given out twice")
	}
}

func TestFoldersThatAreNotAsGoodAsNew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tr, err := openTrash(dir)
	if err != nil {
		t.Fatal(err)
	}
	if tr.recycle(folderWith(t, filepath.Join(dir, "nested"), "sub/")) == "" {
		t.Error("a folder with a folder was kept")
	}
	open := folderWith(t, filepath.Join(dir, "open"))
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if tr.recycle(open) == "" {
		t.Error("a folder that is open to all was kept")
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(folderWith(t, filepath.Join(dir, "precious"), "data"), link); err != nil {
		t.Fatal(err)
	}
	if tr.recycle(link) == "" {
		t.Error("a link was kept")
	}
	if _, err := os.Stat(filepath.Join(dir, "precious", "data")); err != nil {
		t.Errorf("what a link led to was emptied: %v", err)
	}
	for i := range maxSpare + 1 {
		if kept := tr.recycle(folderWith(t, filepath.Join(dir, strconv.Itoa(i)))) == ""; kept != (i < maxSpare) {
			t.Errorf("folder %d: kept %t", i, kept)
		}
	}
}

func TestFolderInTheWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tr, err := openTrash(dir)
	if err != nil {
		t.Fatal(err)
	}
	a := &Agent{trash: tr}
	for range 2 { // without a spare folder, and with one
		path := folderWith(t, filepath.Join(dir, "7"), "start.json")
		if err := a.makeFolder(&attempt{folder: path}); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(path); err != nil || len(left) != 0 {
			t.Errorf("the folder holds %v, %v", left, err)
		}
		if tr.recycle(path) != "" {
			t.Fatal("not kept")
		}
	}
}

func TestUselessFoldersAreRemovedAtRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		tr, err := openTrash(dir)
		if err != nil {
			t.Fatal(err)
		}
		nested := folderWith(t, filepath.Join(dir, "nested"), "sub/")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go tr.empty(ctx, os.RemoveAll, quiet())
		tr.add(nested)
		synctest.Wait()
		taken := filepath.Join(tr.dir, "1")
		if _, err := os.Stat(taken); err != nil {
			t.Errorf("it was removed at once: %v", err)
		}
		time.Sleep(2 * trashRest) // the bubble's clock
		synctest.Wait()
		for _, path := range []string{nested, taken} {
			if _, err := os.Stat(path); !os.IsNotExist(err) {
				t.Errorf("it was not removed: %v", err)
			}
		}
	})
}
