-- The agents that an operator keeps from being given work.
CREATE TABLE drains (
    agent   TEXT    NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    by_whom TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- What an agent said of its machine and of itself, as JSON.
ALTER TABLE agents ADD COLUMN host TEXT;
