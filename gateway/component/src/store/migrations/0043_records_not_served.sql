CREATE INDEX IF NOT EXISTS records_not_served ON records (id) WHERE marks & 2
