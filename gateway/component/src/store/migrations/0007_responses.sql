CREATE TABLE IF NOT EXISTS responses (
    id TEXT PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    key TEXT NOT NULL,
    provider TEXT NOT NULL,
    credential TEXT
) WITHOUT ROWID
