CREATE TRIGGER IF NOT EXISTS stats_gathered AFTER UPDATE OF at_ms ON maintenance
WHEN new.name = 'stats'
BEGIN
    INSERT INTO stats_quarters
    SELECT minute / 15 * 15, cell,
        sum(calls), sum(failed_over), sum(not_served), sum(mistaken), sum(input_tokens), sum(cache_read_tokens),
        sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost_nano), sum(unpriced), sum(duration_ms)
    FROM stats_fresh WHERE true GROUP BY 1, 2
    ON CONFLICT (minute, cell) DO UPDATE SET
        calls = calls + excluded.calls, failed_over = failed_over + excluded.failed_over, not_served = not_served + excluded.not_served, mistaken = mistaken + excluded.mistaken,
        input_tokens = input_tokens + excluded.input_tokens, cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens, cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
        output_tokens = output_tokens + excluded.output_tokens, reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens, cost_nano = cost_nano + excluded.cost_nano,
        unpriced = unpriced + excluded.unpriced, duration_ms = duration_ms + excluded.duration_ms;
    INSERT INTO stats_minutes
    SELECT minute, cell,
        sum(calls), sum(failed_over), sum(not_served), sum(mistaken), sum(input_tokens), sum(cache_read_tokens),
        sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost_nano), sum(unpriced), sum(duration_ms)
    FROM stats_fresh WHERE true GROUP BY 1, 2
    ON CONFLICT (minute, cell) DO UPDATE SET
        calls = calls + excluded.calls, failed_over = failed_over + excluded.failed_over, not_served = not_served + excluded.not_served, mistaken = mistaken + excluded.mistaken,
        input_tokens = input_tokens + excluded.input_tokens, cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens, cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
        output_tokens = output_tokens + excluded.output_tokens, reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens, cost_nano = cost_nano + excluded.cost_nano,
        unpriced = unpriced + excluded.unpriced, duration_ms = duration_ms + excluded.duration_ms;
    DELETE FROM stats_fresh;
    DELETE FROM stats_minutes WHERE minute < new.at_ms / 60000 - 2880;
    DELETE FROM stats_quarters WHERE minute < new.at_ms / 60000 - 576000;
END
