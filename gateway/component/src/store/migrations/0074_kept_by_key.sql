CREATE INDEX IF NOT EXISTS kept_by_key ON kept (key, kind, dialect, number)
