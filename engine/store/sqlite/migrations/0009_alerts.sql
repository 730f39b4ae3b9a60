-- Alerts and the outbox. The columns are what rows are found by; `row` is the whole row as JSON.
CREATE TABLE alerts (
    id     INTEGER PRIMARY KEY,
    flow   TEXT    NOT NULL,
    task   TEXT    NOT NULL,
    acked  INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    row    TEXT    NOT NULL
) STRICT;
CREATE INDEX alerts_flow ON alerts (flow);
CREATE INDEX alerts_open ON alerts (id) WHERE closed = 0;

CREATE TABLE deliveries (
    id    INTEGER PRIMARY KEY,
    key   TEXT    NOT NULL UNIQUE,
    state TEXT    NOT NULL,
    row   TEXT    NOT NULL
) STRICT;
CREATE INDEX deliveries_state ON deliveries (state);

CREATE TABLE delivery_alerts (
    alert    INTEGER NOT NULL,
    delivery INTEGER NOT NULL,
    PRIMARY KEY (alert, delivery)
) STRICT, WITHOUT ROWID;

CREATE TABLE silences (
    id      INTEGER PRIMARY KEY,
    ends_at INTEGER NOT NULL,
    row     TEXT    NOT NULL
) STRICT;

CREATE TABLE subscriptions (
    target  TEXT    NOT NULL,
    person  TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    by_whom TEXT    NOT NULL,
    PRIMARY KEY (target, person)
) STRICT, WITHOUT ROWID;
