CREATE TABLE IF NOT EXISTS sessions (
    hash TEXT PRIMARY KEY,
    is_link INTEGER NOT NULL,
    key TEXT,
    proof TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    client TEXT,
    user_agent TEXT
) WITHOUT ROWID
