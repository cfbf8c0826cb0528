CREATE INDEX IF NOT EXISTS records_running ON records (boot) WHERE state = 'running'
