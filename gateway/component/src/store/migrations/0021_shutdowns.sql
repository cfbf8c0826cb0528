CREATE TABLE IF NOT EXISTS shutdowns (
    place TEXT,
    model TEXT,
    date TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (place, model)
) WITHOUT ROWID
