INSERT OR IGNORE INTO maintenance (name, at_ms) VALUES ('stats', 0)
