-- Who stands in on call, as operators have said. `row` is the whole row as JSON.
CREATE TABLE overrides (
    id      INTEGER PRIMARY KEY,
    ends_at INTEGER NOT NULL,
    row     TEXT    NOT NULL
) STRICT;
