-- Settled runs of which a task run will be late at an instant.
CREATE TABLE overdue (
    run INTEGER NOT NULL PRIMARY KEY,
    at  INTEGER NOT NULL
) STRICT;

-- Attempts that took unusually long or short, until a daily report has told of them.
CREATE TABLE anomalies (
    attempt   INTEGER NOT NULL PRIMARY KEY,
    name      TEXT    NOT NULL,
    owner     TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    took      INTEGER NOT NULL,
    state     TEXT    NOT NULL,
    count     INTEGER NOT NULL,
    mean      INTEGER NOT NULL,
    deviation INTEGER NOT NULL
) STRICT;

-- Whom an event is for that is of no flow: a person, or oncall:TEAM.
ALTER TABLE events ADD COLUMN owner TEXT NOT NULL DEFAULT '';
