package sqlite

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"flowctl/engine"
)

const revisionColumns = `v.id, v.commit_hash, v.author, v.subject, v.committed_at, v.seen_at, v.rejected, v.id = (SELECT active FROM server),
	v.diagnostics, v.hash`

func scanRevision(r *row) (v engine.Revision, err error) {
	v.ID, v.Commit, v.Author, v.Subject = engine.RevisionID(r.int()), r.text(), r.text(), r.text()
	v.CommittedAt, v.SeenAt = fromMicros(r.int()), fromMicros(r.int())
	v.Rejected, v.Active = r.bool(), r.bool()
	err = parse(r.text(), &v.Diagnostics)
	v.Hash = r.text()
	return v, err
}

// PutRevision stores a commit with its files. Contents that some revision already has are not stored again.
func (s *Store) PutRevision(ctx context.Context, term int64, r *engine.Revision) (id engine.RevisionID, err error) {
	diagnostics, err := listText(r.Diagnostics)
	if err != nil {
		return 0, fmt.Errorf("store revision %s: %w", r.Commit, err)
	}
	err = s.fenced(ctx, term, func(w *writer) error {
		err := w.query(context.Background(), `INSERT INTO revisions (commit_hash, author, subject, committed_at, seen_at, rejected, diagnostics, hash)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id`, func(r *row) error { id = engine.RevisionID(r.int()); return nil },
			r.Commit, r.Author, r.Subject, micros(r.CommittedAt), micros(r.SeenAt), r.Rejected, diagnostics, r.Hash)
		if err != nil {
			return err
		}
		return w.putFiles(id, r.Files)
	})
	if err != nil {
		return 0, fmt.Errorf("store revision %s: %w", r.Commit, err)
	}
	return id, nil
}

func (w *writer) putFiles(id engine.RevisionID, files []engine.File) error {
	for i := range files {
		f := &files[i]
		hash, err := hex.DecodeString(f.Hash)
		if err == nil {
			err = w.putBlob(hash, f.Data)
		}
		if err == nil {
			_, err = w.exec(`INSERT INTO files (revision, path, mode, hash, size) VALUES (?1, ?2, ?3, ?4, ?5)`,
				int64(id), f.Path, int64(f.Mode), hash, f.Size)
		}
		if err != nil {
			return fmt.Errorf("file %s: %w", f.Path, err)
		}
	}
	return nil
}

// putBlob stores a content unless it is there: to look first spares the copy of what most revisions share.
func (w *writer) putBlob(hash, data []byte) error {
	known := false
	err := w.query(context.Background(), `SELECT 1 FROM blobs WHERE hash = ?1`, func(*row) error { known = true; return nil }, hash)
	if err != nil || known {
		return err
	}
	if data == nil {
		data = []byte{}
	}
	_, err = w.exec(`INSERT INTO blobs (hash, data) VALUES (?1, ?2)`, hash, data)
	return err
}

// Activate makes a revision the one that new runs follow. A rejected revision is refused.
func (s *Store) Activate(ctx context.Context, term int64, id engine.RevisionID, at time.Time) error {
	err := s.fenced(ctx, term, func(w *writer) error {
		n, err := w.exec(`UPDATE revisions SET activated_at = ?2 WHERE id = ?1 AND NOT rejected`, int64(id), micros(at))
		if err != nil {
			return err
		}
		if n == 0 {
			return engine.Errorf(engine.Conflict, "revision %d does not exist or was rejected", id)
		}
		_, err = w.exec(`UPDATE server SET active = ?1`, int64(id))
		return err
	})
	if err != nil {
		return fmt.Errorf("activate revision %d: %w", id, err)
	}
	return nil
}

// Revision returns one revision without its files, *engine.Error NotFound when there is none of that number.
func (s *Store) Revision(ctx context.Context, id engine.RevisionID) (*engine.Revision, error) {
	return one(ctx, s, scanRevision, fmt.Sprintf("revision %d", id), `SELECT `+revisionColumns+` FROM revisions v WHERE v.id = ?1`, int64(id))
}

// Revisions lists newest first, from before on; 0 = from the newest.
func (s *Store) Revisions(ctx context.Context, before engine.RevisionID, limit int) ([]engine.Revision, error) {
	return all(ctx, s, scanRevision, `SELECT `+revisionColumns+` FROM revisions v WHERE ?1 = 0 OR v.id < ?1 ORDER BY v.id DESC LIMIT ?2`,
		int64(before), pageSize(limit))
}

// Files returns the tree of a revision, sorted by path.
func (s *Store) Files(ctx context.Context, id engine.RevisionID) ([]engine.File, error) {
	scan := func(r *row) (engine.File, error) {
		return engine.File{Path: r.text(), Mode: uint32(r.int()), Hash: hex.EncodeToString(r.bytes()), Size: r.int()}, nil
	}
	return all(ctx, s, scan, `SELECT path, mode, hash, size FROM files WHERE revision = ?1 ORDER BY path`, int64(id))
}

// Blob returns the content of a file, *engine.Error NotFound when no revision has it.
func (s *Store) Blob(ctx context.Context, hash string) ([]byte, error) {
	key, err := hex.DecodeString(hash)
	if err != nil {
		return nil, engine.Errorf(engine.Invalid, "%q is not a hash in hexadecimal", hash)
	}
	scan := func(r *row) ([]byte, error) { return r.bytes(), nil }
	data, err := one(ctx, s, scan, "file content "+hash, `SELECT data FROM blobs WHERE hash = ?1`, key)
	if err != nil {
		return nil, err
	}
	return *data, nil
}
