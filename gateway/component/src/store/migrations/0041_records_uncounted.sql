CREATE INDEX IF NOT EXISTS records_uncounted ON records (id) WHERE cell IS NULL AND state <> 'running'
