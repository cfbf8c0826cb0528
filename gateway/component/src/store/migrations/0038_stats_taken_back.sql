CREATE TRIGGER IF NOT EXISTS stats_taken_back AFTER UPDATE OF state, cell ON records
WHEN old.cell IS NOT NULL AND old.state <> 'running'
BEGIN
    INSERT INTO stats_fresh VALUES (
        old.at_ms / 60000, old.cell,
        -1, -(old.marks & 1), -(old.marks >> 1 & 1), -(old.marks >> 2 & 1),
        -coalesce(old.input_tokens, 0), -coalesce(old.cache_read_tokens, 0), -coalesce(old.cache_write_tokens, 0), -coalesce(old.output_tokens, 0), -coalesce(old.reasoning_tokens, 0),
        -coalesce(old.cost_nano, 0), -(old.cost_nano IS NULL), -coalesce(old.duration_ms, 0)
    )
    ON CONFLICT (minute, cell) DO UPDATE SET
        calls = calls + excluded.calls, failed_over = failed_over + excluded.failed_over, not_served = not_served + excluded.not_served, mistaken = mistaken + excluded.mistaken,
        input_tokens = input_tokens + excluded.input_tokens, cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens, cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
        output_tokens = output_tokens + excluded.output_tokens, reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens, cost_nano = cost_nano + excluded.cost_nano,
        unpriced = unpriced + excluded.unpriced, duration_ms = duration_ms + excluded.duration_ms;
END
