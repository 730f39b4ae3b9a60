package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// rowText writes a row of which most is found in no other column.
func rowText(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

func scanJSON[T any](r *row) (v T, err error) { return v, parse(r.text(), &v) }

const (
	putAlert = `INSERT INTO alerts (id, flow, task, acked, closed, row) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (id) DO UPDATE SET acked = ?4, closed = ?5, row = ?6`
	putDelivery = `INSERT INTO deliveries (id, key, state, row) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (id) DO UPDATE SET state = ?3, row = ?4 ON CONFLICT (key) DO NOTHING`
	putsEnding = ` (id, ends_at, row) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET ends_at = ?2, row = ?3`
)

func (w *writer) putAlerts(c *engine.Changes) error {
	for i := range c.Alerts {
		a := &c.Alerts[i]
		text, err := rowText(a)
		if err == nil {
			_, err = w.exec(putAlert, int64(a.ID), a.Flow, a.Task, int64(a.Acked), int64(a.Closed), text)
		}
		if err != nil {
			return fmt.Errorf("alert %d: %w", a.ID, err)
		}
	}
	return nil
}

func (w *writer) putDeliveries(c *engine.Changes) error {
	for i := range c.Deliveries {
		d := &c.Deliveries[i]
		text, err := rowText(d)
		if err == nil {
			_, err = w.exec(putDelivery, int64(d.ID), d.Key, string(d.State), text)
		}
		for _, a := range d.Alerts {
			if err == nil {
				_, err = w.exec(`INSERT OR IGNORE INTO delivery_alerts (alert, delivery) VALUES (?1, ?2)`, int64(a), int64(d.ID))
			}
		}
		if err != nil {
			return fmt.Errorf("delivery %d: %w", d.ID, err)
		}
	}
	return nil
}

func (w *writer) putSilences(c *engine.Changes) error {
	for i := range c.Silences {
		s := &c.Silences[i]
		if err := w.putEnding("silences", int64(s.ID), s.Until, s); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) putOverrides(c *engine.Changes) error {
	for i := range c.Overrides {
		v := &c.Overrides[i]
		if err := w.putEnding("overrides", int64(v.ID), v.To, v); err != nil {
			return err
		}
	}
	return nil
}

// putEnding writes a row of a table of what is in force until an instant.
func (w *writer) putEnding(table string, id int64, until period.Instant, v any) error {
	text, err := rowText(v)
	if err == nil {
		_, err = w.exec("INSERT INTO "+table+putsEnding, id, int64(until), text)
	}
	if err != nil {
		return fmt.Errorf("%s %d: %w", table, id, err)
	}
	return nil
}

func (w *writer) putSubscriptions(c *engine.Changes) error {
	for i := range c.Subscriptions {
		s := &c.Subscriptions[i]
		var err error
		if s.Removed {
			_, err = w.exec(`DELETE FROM subscriptions WHERE target = ?1 AND person = ?2`, s.Target, s.Person)
		} else {
			_, err = w.exec(`INSERT INTO subscriptions (target, person, at, by_whom) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (target, person) DO NOTHING`,
				s.Target, s.Person, int64(s.At), s.By)
		}
		if err != nil {
			return fmt.Errorf("subscription of %s to %s: %w", s.Person, s.Target, err)
		}
	}
	return nil
}

const (
	openAlerts       = `SELECT row FROM alerts INDEXED BY alerts_open WHERE closed = 0 ORDER BY id`
	pendingDelivery  = `SELECT row FROM deliveries INDEXED BY deliveries_state WHERE state = 'pending' ORDER BY id`
	allSilences      = `SELECT row FROM silences WHERE ends_at > ?1 ORDER BY id`
	allOverrides     = `SELECT row FROM overrides WHERE ends_at > ?1 ORDER BY id`
	allSubscriptions = `SELECT target, person, at, by_whom FROM subscriptions ORDER BY target, person`
	highestAlerting  = `SELECT (SELECT max(id) FROM alerts), (SELECT max(id) FROM deliveries), (SELECT max(id) FROM silences), (SELECT max(id) FROM overrides)`
)

func scanSubscription(r *row) (engine.Subscription, error) {
	return engine.Subscription{Target: r.text(), Person: r.text(), At: period.Instant(r.int()), By: r.text()}, nil
}

// loadOutbox reads what alerting is rebuilt from.
func loadOutbox(ctx context.Context, c *conn, o *engine.Outbox) error {
	for _, q := range []struct {
		text string
		take func(*row) error
	}{
		{openAlerts, into(&o.Alerts, scanJSON[engine.Alert])},
		{pendingDelivery, into(&o.Deliveries, scanJSON[engine.Delivery])},
		{`SELECT row FROM silences ORDER BY id`, into(&o.Silences, scanJSON[engine.Silence])},
		{`SELECT row FROM overrides ORDER BY id`, into(&o.Overrides, scanJSON[engine.Override])},
		{allSubscriptions, into(&o.Subscriptions, scanSubscription)},
		{highestAlerting, func(r *row) error {
			o.LastAlert, o.LastDelivery, o.LastSilence = engine.AlertID(r.int()), engine.DeliveryID(r.int()), engine.SilenceID(r.int())
			o.LastOverride = engine.OverrideID(r.int())
			return nil
		}},
	} {
		if err := c.query(ctx, q.text, q.take); err != nil {
			return err
		}
	}
	return nil
}

// Happened tells which keys there are events of.
func (s *Store) Happened(ctx context.Context, keys []string) ([]bool, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(keys)
	if err != nil {
		return nil, err
	}
	return all(ctx, s, func(r *row) (bool, error) { return r.bool(), nil },
		`SELECT EXISTS (SELECT 1 FROM events e WHERE e.key = j.value) FROM json_each(?1) j ORDER BY j.key`, string(text))
}

// Alerts lists alerts newest first.
func (s *Store) Alerts(ctx context.Context, q engine.AlertQuery) ([]engine.Alert, string, error) {
	var l list
	if q.Open {
		l.and("closed = 0 AND acked = 0")
	}
	if q.Flow != "" {
		l.and("flow = ?", q.Flow)
	}
	if q.Task != "" {
		l.and("task = ?", q.Task)
	}
	if err := l.after(q.Cursor, "id < ?", 1); err != nil {
		return nil, "", err
	}
	return page(ctx, s, &l, scanJSON[engine.Alert], "row", "alerts", "id DESC", q.Limit, func(a engine.Alert) string { return formatCursor(int64(a.ID)) })
}

// Deliveries lists deliveries newest first.
func (s *Store) Deliveries(ctx context.Context, q engine.DeliveryQuery) ([]engine.Delivery, string, error) {
	var l list
	switch q.State {
	case "":
	case engine.DeliveryPending, engine.DeliveryDelivered, engine.DeliveryFailed, engine.DeliverySilenced:
		l.and("d.state = ?", string(q.State))
	default:
		return nil, "", engine.Errorf(engine.Invalid, "%q is no state of a delivery", q.State)
	}
	if q.Alert != 0 {
		l.and("EXISTS (SELECT 1 FROM delivery_alerts x WHERE x.alert = ? AND x.delivery = d.id)", int64(q.Alert))
	}
	if err := l.after(q.Cursor, "d.id < ?", 1); err != nil {
		return nil, "", err
	}
	return page(ctx, s, &l, scanJSON[engine.Delivery], "d.row", "deliveries d", "d.id DESC", q.Limit,
		func(d engine.Delivery) string { return formatCursor(int64(d.ID)) })
}

// Delivery returns one delivery.
func (s *Store) Delivery(ctx context.Context, id engine.DeliveryID) (*engine.Delivery, error) {
	return one(ctx, s, scanJSON[engine.Delivery], fmt.Sprintf("delivery %d", id), `SELECT row FROM deliveries WHERE id = ?1`, int64(id))
}

// Silences lists those that end after an instant, by number.
func (s *Store) Silences(ctx context.Context, after period.Instant) ([]engine.Silence, error) {
	return all(ctx, s, scanJSON[engine.Silence], allSilences, int64(after))
}

// Subscriptions lists all, by target and person.
func (s *Store) Subscriptions(ctx context.Context) ([]engine.Subscription, error) {
	return all(ctx, s, scanSubscription, allSubscriptions)
}

// Overrides lists those that end after an instant, by number.
func (s *Store) Overrides(ctx context.Context, after period.Instant) ([]engine.Override, error) {
	return all(ctx, s, scanJSON[engine.Override], allOverrides, int64(after))
}
