package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"flowctl/engine"
)

const putAgent = `INSERT INTO agents (name, fingerprint, labels, slots, version, boot_id, joined_at, last_seen, host, grants,
certificate_ends, revoked)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (name) DO UPDATE SET fingerprint = ?2, labels = ?3, slots = ?4, version = ?5, boot_id = ?6, joined_at = ?7, last_seen = ?8,
host = ?9, grants = ?10, certificate_ends = ?11, revoked = ?12`

// PutAgent stores what is known of an agent in place of what was.
func (s *Store) PutAgent(ctx context.Context, a *engine.Agent) error {
	labels, err := listText(a.Labels)
	var host, grant []byte
	if err == nil {
		host, err = json.Marshal(a.Host)
	}
	if err == nil {
		grant, err = json.Marshal(a.Grant)
	}
	if err == nil {
		err = s.write(ctx, func(w *writer) error {
			_, err := w.exec(putAgent, a.Name, a.Fingerprint, labels, int64(a.Slots), a.Version, a.BootID, micros(a.JoinedAt), micros(a.LastSeen),
				string(host), string(grant), micros(a.CertificateEnds), micros(a.Revoked))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("store agent %s: %w", a.Name, err)
	}
	return nil
}

// Agents returns all agents by name.
func (s *Store) Agents(ctx context.Context) ([]engine.Agent, error) {
	scan := func(r *row) (a engine.Agent, err error) {
		a.Name, a.Fingerprint = r.text(), r.text()
		err = parse(r.text(), &a.Labels)
		a.Slots, a.Version, a.BootID = int(r.int()), r.text(), r.text()
		a.JoinedAt, a.LastSeen = fromMicros(r.int()), fromMicros(r.int())
		if err == nil {
			err = parse(r.text(), &a.Host)
		}
		if err == nil {
			err = parse(r.text(), &a.Grant)
		}
		a.CertificateEnds, a.Revoked = fromMicros(r.int()), fromMicros(r.int())
		return a, err
	}
	return all(ctx, s, scan, `SELECT name, fingerprint, labels, slots, version, boot_id, joined_at, last_seen, host, grants, certificate_ends, revoked FROM agents ORDER BY name`)
}

const tokenColumns = `hash, expires, made, by_whom, grants`

func scanToken(r *row) (t engine.JoinToken, _ error) {
	t.Hash, t.Expires, t.Made, t.By = r.text(), fromMicros(r.int()), fromMicros(r.int()), r.text()
	return t, parse(r.text(), &t.Grant)
}

// PutToken stores a join token, to be used once before it expires.
func (s *Store) PutToken(ctx context.Context, t *engine.JoinToken) error {
	grant, err := json.Marshal(t.Grant)
	if err == nil {
		err = s.write(ctx, func(w *writer) error {
			_, err := w.exec(`INSERT INTO tokens (`+tokenColumns+`) VALUES (?1, ?2, ?3, ?4, ?5)`,
				t.Hash, micros(t.Expires), micros(t.Made), t.By, string(grant))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("store a join token: %w", err)
	}
	return nil
}

// UseToken consumes a join token. It returns *engine.Error Unauthorized when the token is unknown, used or expired.
func (s *Store) UseToken(ctx context.Context, hash string, now time.Time) (*engine.JoinToken, error) {
	found, err := all(ctx, s, scanToken, `SELECT `+tokenColumns+` FROM tokens WHERE hash = ?1 AND expires > ?2`, hash, micros(now))
	if err != nil {
		return nil, fmt.Errorf("use a join token: %w", err)
	}
	used := false
	err = s.write(ctx, func(w *writer) error {
		if _, err := w.exec(`DELETE FROM tokens WHERE expires <= ?1`, micros(now)); err != nil {
			return err
		}
		n, err := w.exec(`DELETE FROM tokens WHERE hash = ?1`, hash)
		used = n == 1
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("use a join token: %w", err)
	}
	if !used || len(found) == 0 {
		return nil, engine.Errorf(engine.Unauthorized, "this join token is unknown, used or expired: make another with `flowctl agents token`")
	}
	return &found[0], nil
}

// Tokens lists the join tokens that can be used.
func (s *Store) Tokens(ctx context.Context, now time.Time) ([]engine.JoinToken, error) {
	return all(ctx, s, scanToken, `SELECT `+tokenColumns+` FROM tokens WHERE expires > ?1 ORDER BY expires, hash`, micros(now))
}

// DeleteToken takes a join token back.
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	known := false
	err := s.write(ctx, func(w *writer) error {
		n, err := w.exec(`DELETE FROM tokens WHERE substr(hash, 1, 12) = ?1`, id)
		known = n > 0
		return err
	})
	if err != nil {
		return fmt.Errorf("delete join token %s: %w", id, err)
	}
	if !known {
		return engine.Errorf(engine.NotFound, "no join token %s: see flowctl agents token list", id)
	}
	return nil
}
