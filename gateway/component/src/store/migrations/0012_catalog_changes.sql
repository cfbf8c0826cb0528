CREATE TABLE IF NOT EXISTS catalog_changes (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    version INTEGER,
    client TEXT,
    user_agent TEXT,
    action TEXT NOT NULL
)
