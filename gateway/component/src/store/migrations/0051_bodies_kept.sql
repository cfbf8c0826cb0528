CREATE INDEX IF NOT EXISTS bodies_kept ON bodies (id, bytes) WHERE sealed IS NOT NULL
