CREATE TABLE IF NOT EXISTS seals (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    place TEXT NOT NULL,
    account TEXT,
    profile TEXT NOT NULL
)
