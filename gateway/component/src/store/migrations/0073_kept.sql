CREATE TABLE IF NOT EXISTS kept (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    dialect TEXT NOT NULL,
    id TEXT NOT NULL,
    provider TEXT NOT NULL,
    credential TEXT,
    is_input INTEGER NOT NULL,
    purpose TEXT,
    object TEXT,
    is_final INTEGER NOT NULL,
    UNIQUE (id, key)
)
