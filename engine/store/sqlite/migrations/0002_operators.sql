-- What operators paused. Without a flow it is the platform's horizon, at period_start; all periods are -9223372036854775808.
CREATE TABLE pauses (
    flow         TEXT    NOT NULL,
    task         TEXT    NOT NULL,
    period_start INTEGER NOT NULL,
    label        TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    by_whom      TEXT    NOT NULL,
    PRIMARY KEY (flow, task, period_start)
) STRICT, WITHOUT ROWID;

-- The highest number that a deleted run had: no other run gets it.
ALTER TABLE server ADD COLUMN last_run INTEGER NOT NULL DEFAULT 0;

-- Of the periods that a backfill skipped, those whose run had not ended.
ALTER TABLE backfills ADD COLUMN unfinished INTEGER NOT NULL DEFAULT 0;
