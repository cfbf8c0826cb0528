CREATE TABLE IF NOT EXISTS stats_series (
    id INTEGER PRIMARY KEY,
    key TEXT,
    model TEXT,
    provider TEXT,
    upstream_model TEXT,
    credential TEXT,
    client TEXT
)
