CREATE INDEX IF NOT EXISTS records_slow ON records (id) WHERE marks & 8
