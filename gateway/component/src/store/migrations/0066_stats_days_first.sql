CREATE TABLE IF NOT EXISTS stats_days_first (
    minute INTEGER,
    cell INTEGER,
    calls INTEGER NOT NULL,
    PRIMARY KEY (minute, cell)
) WITHOUT ROWID
