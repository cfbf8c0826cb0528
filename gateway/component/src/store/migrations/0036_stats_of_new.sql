CREATE TRIGGER IF NOT EXISTS stats_of_new AFTER INSERT ON records
WHEN new.cell IS NOT NULL AND new.state <> 'running'
BEGIN
    INSERT INTO stats_fresh VALUES (
        new.at_ms / 60000, new.cell,
        1, (new.marks & 1), (new.marks >> 1 & 1), (new.marks >> 2 & 1),
        coalesce(new.input_tokens, 0), coalesce(new.cache_read_tokens, 0), coalesce(new.cache_write_tokens, 0), coalesce(new.output_tokens, 0), coalesce(new.reasoning_tokens, 0),
        coalesce(new.cost_nano, 0), (new.cost_nano IS NULL), coalesce(new.duration_ms, 0)
    )
    ON CONFLICT (minute, cell) DO UPDATE SET
        calls = calls + excluded.calls, failed_over = failed_over + excluded.failed_over, not_served = not_served + excluded.not_served, mistaken = mistaken + excluded.mistaken,
        input_tokens = input_tokens + excluded.input_tokens, cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens, cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
        output_tokens = output_tokens + excluded.output_tokens, reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens, cost_nano = cost_nano + excluded.cost_nano,
        unpriced = unpriced + excluded.unpriced, duration_ms = duration_ms + excluded.duration_ms;
END
