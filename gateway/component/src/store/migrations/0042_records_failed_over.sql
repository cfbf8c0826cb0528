CREATE INDEX IF NOT EXISTS records_failed_over ON records (id) WHERE marks & 1
