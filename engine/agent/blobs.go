package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"flowctl/engine/wire"
)

// validHash is a SHA-256 in hex.
var validHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// blobs holds the contents of files by their SHA-256. A blob is checked whenever it is read, so a damaged one is as good as
// none.
type blobs struct{ dir string }

func (b *blobs) path(hash string) string { return filepath.Join(b.dir, hash) }

// read returns a blob. fs.ErrNotExist: it is not there, or was damaged and has been removed.
func (b *blobs) read(hash string) ([]byte, error) {
	data, err := os.ReadFile(b.path(hash))
	if err != nil {
		return nil, err
	}
	if wire.Fingerprint(data) != hash {
		return nil, errors.Join(fmt.Errorf("blob %s was damaged: %w", hash, fs.ErrNotExist), os.Remove(b.path(hash)))
	}
	return data, nil
}

// fetch gets the blobs of a manifest that are not there.
func (b *blobs) fetch(ctx context.Context, client wire.AgentsClient, manifest *wire.TreePart) error {
	var missing []string
	asked := map[string]bool{}
	for _, f := range manifest.Files {
		if !validHash.MatchString(f.Hash) {
			return fmt.Errorf("%s: %q is not a SHA-256", f.Path, f.Hash)
		}
		if asked[f.Hash] {
			continue
		}
		asked[f.Hash] = true
		if _, err := b.read(f.Hash); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, f.Hash)
		} else if err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	stream, err := client.Blobs(ctx, &wire.BlobsRequest{Hashes: missing})
	if err != nil {
		return err
	}
	for _, hash := range missing {
		var data []byte
		for last := false; !last; {
			part, err := stream.Recv()
			if err != nil {
				return fmt.Errorf("fetch blob %s: %w", hash, err)
			}
			data, last = append(data, part.Data...), part.Last
		}
		if err := b.put(hash, data); err != nil {
			return err
		}
	}
	return nil
}

// put stores a blob, which appears whole.
func (b *blobs) put(hash string, data []byte) error {
	if got := wire.Fingerprint(data); got != hash {
		return fmt.Errorf("the server sent %s for blob %s", got, hash)
	}
	f, err := os.CreateTemp(b.dir, ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), b.path(hash))
}

// retain removes all other blobs.
func (b *blobs) retain(used map[string]bool) error {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if validHash.MatchString(e.Name()) && !used[e.Name()] {
			if err := os.Remove(filepath.Join(b.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
