CREATE TABLE IF NOT EXISTS stats_totals_first (
    minute INTEGER,
    bucket INTEGER,
    calls INTEGER NOT NULL,
    PRIMARY KEY (minute, bucket)
) WITHOUT ROWID
