CREATE TABLE IF NOT EXISTS wrong_credentials (
    address TEXT PRIMARY KEY,
    failures TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) WITHOUT ROWID
