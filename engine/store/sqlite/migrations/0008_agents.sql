-- The agents that an operator keeps from being given work.
CREATE TABLE drains (
    agent   TEXT    NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    by_whom TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- What an agent said of its machine and of itself, as JSON.
ALTER TABLE agents ADD COLUMN host TEXT;

-- What an agent was given by the token that it joined with, as JSON; when its certificate ends, and when it was revoked (0 = it was not).
ALTER TABLE agents ADD COLUMN grants TEXT;
ALTER TABLE agents ADD COLUMN certificate_ends INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agents ADD COLUMN revoked INTEGER NOT NULL DEFAULT 0;

ALTER TABLE tokens ADD COLUMN made INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN by_whom TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN grants TEXT;

-- What the processes of an attempt read from disks and wrote to them, in bytes; 0 = unknown.
ALTER TABLE attempts ADD COLUMN read_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN written_bytes INTEGER NOT NULL DEFAULT 0;
