DROP INDEX IF EXISTS records_by_key
