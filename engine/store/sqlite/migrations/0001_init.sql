-- Conditions on the hot path are chains of OR, the likeliest first: for IN with more than two values SQLite builds a table each time.

-- The one row of a server: the newest term of a leader, and the revision that new runs follow.
CREATE TABLE server (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    term   INTEGER NOT NULL,
    active INTEGER REFERENCES revisions (id)
) STRICT;

CREATE TABLE revisions (
    id           INTEGER PRIMARY KEY,
    commit_hash  TEXT    NOT NULL,
    author       TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    committed_at INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL,
    activated_at INTEGER NOT NULL DEFAULT 0,
    rejected     INTEGER NOT NULL CHECK (rejected IN (0, 1)),
    diagnostics  TEXT,
    hash         TEXT    NOT NULL,
    CHECK (NOT (rejected AND activated_at <> 0))
) STRICT;

-- Contents of files, each stored once.
CREATE TABLE blobs (
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    data BLOB NOT NULL
) STRICT;

CREATE TABLE files (
    revision INTEGER NOT NULL REFERENCES revisions (id),
    path     TEXT    NOT NULL,
    mode     INTEGER NOT NULL,
    hash     BLOB    NOT NULL REFERENCES blobs (hash),
    size     INTEGER NOT NULL,
    PRIMARY KEY (revision, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE backfills (
    id               INTEGER PRIMARY KEY,
    revision         INTEGER NOT NULL REFERENCES revisions (id),
    flows            TEXT,
    from_period      TEXT    NOT NULL,
    to_period        TEXT    NOT NULL,
    max_active       INTEGER NOT NULL,
    missing_upstream TEXT    NOT NULL,
    reprocess        TEXT    NOT NULL,
    state            TEXT    NOT NULL CHECK (state IN ('running', 'paused', 'cancelled', 'done')),
    total            INTEGER NOT NULL,
    created          INTEGER NOT NULL,
    skipped          INTEGER NOT NULL,
    succeeded        INTEGER NOT NULL,
    failed           INTEGER NOT NULL,
    cursor           TEXT    NOT NULL,
    by_whom          TEXT    NOT NULL,
    created_at       INTEGER NOT NULL,
    finished_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE runs (
    id           INTEGER PRIMARY KEY,
    flow         TEXT    NOT NULL,
    period_kind  INTEGER NOT NULL, -- period.Kind
    period_start INTEGER NOT NULL,
    period_end   INTEGER NOT NULL CHECK (period_end >= period_start),
    zone         TEXT    NOT NULL,
    label        TEXT    NOT NULL,
    version      INTEGER NOT NULL CHECK (version >= 1),
    kind         TEXT    NOT NULL CHECK (kind = 'scheduled' OR kind = 'backfill' OR kind = 'manual' OR kind = 'rerun'),
    state        TEXT    NOT NULL CHECK (state = 'active' OR state = 'succeeded' OR state = 'failed'),
    revision     INTEGER NOT NULL REFERENCES revisions (id),
    pinned       INTEGER NOT NULL,
    params       TEXT,
    backfill     INTEGER REFERENCES backfills (id),
    partial      INTEGER NOT NULL,
    extra        INTEGER NOT NULL,
    force        INTEGER NOT NULL,
    created      INTEGER NOT NULL,
    due          INTEGER NOT NULL,
    started      INTEGER NOT NULL,
    finished     INTEGER NOT NULL,
    UNIQUE (flow, period_start, version)
) STRICT;
CREATE INDEX runs_active ON runs (id) WHERE state = 'active';
CREATE INDEX runs_failed ON runs (id) WHERE state = 'failed';
CREATE INDEX runs_end ON runs (flow, period_end) WHERE period_kind <> 0;
CREATE INDEX runs_backfill ON runs (backfill) WHERE backfill IS NOT NULL;

CREATE TABLE task_runs (
    run      INTEGER NOT NULL REFERENCES runs (id),
    task     TEXT    NOT NULL,
    state    TEXT    NOT NULL CHECK (state = 'waiting' OR state = 'ready' OR state = 'assigned' OR state = 'running' OR state = 'succeeded'
                                     OR state = 'killing' OR state = 'retrying' OR state = 'failed' OR state = 'killed'
                                     OR state = 'skipped' OR state = 'expired' OR state = 'upstream_failed'),
    attempts INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,
    from_run INTEGER NOT NULL,
    next_at  INTEGER NOT NULL,
    code     TEXT    NOT NULL,
    message  TEXT    NOT NULL,
    outputs  TEXT,
    started  INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    PRIMARY KEY (run, task)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    id        INTEGER PRIMARY KEY,
    run       INTEGER NOT NULL REFERENCES runs (id),
    task      TEXT    NOT NULL,
    no        INTEGER NOT NULL CHECK (no >= 1),
    agent     TEXT    NOT NULL,
    boot      TEXT    NOT NULL,
    state     TEXT    NOT NULL CHECK (state = 'assigned' OR state = 'running' OR state = 'succeeded' OR state = 'killing'
                                      OR state = 'failed' OR state = 'killed'),
    code      TEXT    NOT NULL,
    message   TEXT    NOT NULL,
    exit_code INTEGER NOT NULL,
    assigned  INTEGER NOT NULL,
    started   INTEGER NOT NULL,
    finished  INTEGER NOT NULL,
    max_rss   INTEGER NOT NULL,
    cpu       INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_run ON attempts (run);

-- Tasks that the ledger or a wait speaks of, numbered.
CREATE TABLE tasks (
    id   INTEGER PRIMARY KEY,
    flow TEXT NOT NULL,
    task TEXT NOT NULL,
    UNIQUE (flow, task)
) STRICT;

-- The ledger: how a task ended for a period. Never purged.
CREATE TABLE outcomes (
    task         INTEGER NOT NULL REFERENCES tasks (id),
    period_start INTEGER NOT NULL,
    version      INTEGER NOT NULL CHECK (version >= 1),
    period_end   INTEGER NOT NULL CHECK (period_end >= period_start),
    run          INTEGER NOT NULL,
    state        INTEGER NOT NULL CHECK (state BETWEEN 0 AND 6), -- ledgerStates in ledger.go
    PRIMARY KEY (task, period_start, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE waits (
    task         INTEGER NOT NULL REFERENCES tasks (id),
    period_start INTEGER NOT NULL,
    run          INTEGER NOT NULL REFERENCES runs (id),
    PRIMARY KEY (task, period_start, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX waits_run ON waits (run);

CREATE TABLE flows (
    flow     TEXT    NOT NULL PRIMARY KEY,
    era      INTEGER NOT NULL,
    schedule TEXT    NOT NULL,
    cursor   INTEGER NOT NULL,
    removed  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE operations (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    by_whom TEXT    NOT NULL,
    verb    TEXT    NOT NULL,
    target  TEXT    NOT NULL,
    detail  TEXT    NOT NULL
) STRICT;

CREATE TABLE agents (
    name        TEXT    NOT NULL PRIMARY KEY,
    fingerprint TEXT    NOT NULL,
    labels      TEXT,
    slots       INTEGER NOT NULL,
    version     TEXT    NOT NULL,
    boot_id     TEXT    NOT NULL,
    joined_at   INTEGER NOT NULL,
    last_seen   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    hash    TEXT    NOT NULL PRIMARY KEY,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO server (id, term) VALUES (1, 0);
