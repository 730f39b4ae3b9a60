-- The periods of third parties' data that were announced. Needs on them are looked up like those on tasks.
CREATE TABLE signals (
    signal       TEXT    NOT NULL,
    period_start INTEGER NOT NULL,
    period_end   INTEGER NOT NULL,
    label        TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    by_whom      TEXT    NOT NULL,
    PRIMARY KEY (signal, period_start)
) STRICT, WITHOUT ROWID;
