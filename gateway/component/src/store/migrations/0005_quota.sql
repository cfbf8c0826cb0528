CREATE TABLE IF NOT EXISTS quota (
    id TEXT,
    bucket INTEGER,
    spent INTEGER NOT NULL,
    PRIMARY KEY (id, bucket)
) WITHOUT ROWID
