package ssh

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// stamp is the time of all files that are sent: equal content gives an equal hash.
var stamp = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// pack writes the files of a folder to w as a tar, without the folder skip, and returns the hash of what it wrote. GNU's format has names of any length and
// alphabet, and every tar reads it.
func pack(dir, skip string, w io.Writer) (string, error) {
	hash := sha256.New()
	t := tar.NewWriter(io.MultiWriter(w, hash))
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == "." {
			return err
		}
		if path == skip {
			return fs.SkipDir
		}
		return add(t, path, filepath.ToSlash(name), entry.Type())
	})
	if err != nil {
		return "", fmt.Errorf("pack %s: %w", dir, err)
	}
	if err := t.Close(); err != nil {
		return "", fmt.Errorf("pack %s: %w", dir, err)
	}
	return hex.EncodeToString(hash.Sum(nil)[:16]), nil
}

func add(t *tar.Writer, path, name string, kind fs.FileMode) error {
	h := &tar.Header{Name: name, Mode: 0o755, ModTime: stamp, Format: tar.FormatGNU}
	var content []byte
	var err error
	switch kind {
	case 0:
		var stat fs.FileInfo
		if stat, err = os.Stat(path); err == nil {
			content, err = os.ReadFile(path)
			h.Typeflag, h.Mode, h.Size = tar.TypeReg, int64(stat.Mode().Perm()), int64(len(content))
		}
	case fs.ModeSymlink:
		h.Typeflag = tar.TypeSymlink
		h.Linkname, err = os.Readlink(path)
	case fs.ModeDir:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
	default:
		err = fmt.Errorf("%s is neither a file nor a folder nor a link", name)
	}
	if err != nil {
		return err
	}
	return put(t, h, content)
}

func put(t *tar.Writer, h *tar.Header, content []byte) error {
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	_, err := t.Write(content)
	return err
}

// packFar writes the far half of an attempt: its script and its task.
func (o order) packFar(w io.Writer) error {
	t := tar.NewWriter(w)
	files := map[string][]byte{"remote.sh": []byte(remoteScript), "task": []byte(o.Task), "text": []byte(o.Text)}
	if o.File != "" {
		content, err := os.ReadFile(o.File)
		if err != nil {
			return err
		}
		files["file"] = content
	}
	for name, content := range files {
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: "attempts/" + o.ID + "/" + name, Mode: 0o700, Size: int64(len(content)), ModTime: stamp, Format: tar.FormatGNU,
		}
		if err := put(t, h, content); err != nil {
			return err
		}
	}
	return t.Close()
}
