-- What alerts tell of. Events are rare, so each filter of the list has its index.
CREATE TABLE events (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    flow     TEXT    NOT NULL,
    task     TEXT    NOT NULL,
    run      INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,
    backfill INTEGER NOT NULL,
    agent    TEXT    NOT NULL,
    key      TEXT    NOT NULL UNIQUE,
    detail   TEXT    NOT NULL
) STRICT;
CREATE INDEX events_flow ON events (flow);
CREATE INDEX events_run ON events (run);
CREATE INDEX events_kind ON events (kind);

CREATE TABLE presences (
    agent TEXT    NOT NULL PRIMARY KEY,
    lost  INTEGER NOT NULL,
    told  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE paces (
    flow      TEXT    NOT NULL,
    task      TEXT    NOT NULL,
    count     INTEGER NOT NULL,
    mean      INTEGER NOT NULL,
    deviation INTEGER NOT NULL,
    PRIMARY KEY (flow, task)
) STRICT, WITHOUT ROWID;

ALTER TABLE task_runs ADD COLUMN alerted INTEGER NOT NULL DEFAULT 0;
