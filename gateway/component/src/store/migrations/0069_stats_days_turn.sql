INSERT OR IGNORE INTO maintenance (name, at_ms) VALUES ('stats_days', 0)
