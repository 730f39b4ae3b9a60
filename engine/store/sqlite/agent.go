package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"flowctl/engine"
)

const putAgent = `INSERT INTO agents (name, fingerprint, labels, slots, version, boot_id, joined_at, last_seen, host)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (name) DO UPDATE SET fingerprint = ?2, labels = ?3, slots = ?4, version = ?5, boot_id = ?6, joined_at = ?7, last_seen = ?8,
host = ?9`

// PutAgent stores what is known of an agent in place of what was.
func (s *Store) PutAgent(ctx context.Context, a *engine.Agent) error {
	labels, err := listText(a.Labels)
	var host []byte
	if err == nil {
		host, err = json.Marshal(a.Host)
	}
	if err == nil {
		err = s.write(ctx, func(w *writer) error {
			_, err := w.exec(putAgent, a.Name, a.Fingerprint, labels, int64(a.Slots), a.Version, a.BootID, micros(a.JoinedAt), micros(a.LastSeen),
				string(host))
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
		return a, err
	}
	return all(ctx, s, scan, `SELECT name, fingerprint, labels, slots, version, boot_id, joined_at, last_seen, host FROM agents ORDER BY name`)
}

// PutToken stores the hash of a join token that can be used once before it expires.
func (s *Store) PutToken(ctx context.Context, hash string, expires time.Time) error {
	err := s.write(ctx, func(w *writer) error {
		_, err := w.exec(`INSERT INTO tokens (hash, expires) VALUES (?1, ?2) ON CONFLICT (hash) DO UPDATE SET expires = ?2`, hash, micros(expires))
		return err
	})
	if err != nil {
		return fmt.Errorf("store a join token: %w", err)
	}
	return nil
}

// UseToken consumes a join token. It returns *engine.Error Unauthorized when the token is unknown, used or expired.
func (s *Store) UseToken(ctx context.Context, hash string, now time.Time) error {
	used := false
	err := s.write(ctx, func(w *writer) error {
		if _, err := w.exec(`DELETE FROM tokens WHERE expires <= ?1`, micros(now)); err != nil {
			return err
		}
		n, err := w.exec(`DELETE FROM tokens WHERE hash = ?1`, hash)
		used = n == 1
		return err
	})
	if err != nil {
		return fmt.Errorf("use a join token: %w", err)
	}
	if !used {
		return engine.Errorf(engine.Unauthorized, "this join token is unknown, used or expired: make another with `flowctl agents token`")
	}
	return nil
}
