CREATE TRIGGER IF NOT EXISTS stats_gathered_with_days AFTER UPDATE OF at_ms ON maintenance
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
    INSERT INTO stats_totals
    SELECT minute / 15 * 15,
        sum(calls), sum(failed_over), sum(not_served), sum(mistaken), sum(input_tokens), sum(cache_read_tokens),
        sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost_nano), sum(unpriced), sum(duration_ms)
    FROM stats_fresh WHERE true GROUP BY 1
    ON CONFLICT (minute) DO UPDATE SET
        calls = calls + excluded.calls, failed_over = failed_over + excluded.failed_over, not_served = not_served + excluded.not_served, mistaken = mistaken + excluded.mistaken,
        input_tokens = input_tokens + excluded.input_tokens, cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens, cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
        output_tokens = output_tokens + excluded.output_tokens, reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens, cost_nano = cost_nano + excluded.cost_nano,
        unpriced = unpriced + excluded.unpriced, duration_ms = duration_ms + excluded.duration_ms;
    INSERT INTO stats_totals_first
    SELECT minute / 15 * 15, cell & 63,
        sum(calls)
    FROM stats_fresh WHERE true GROUP BY 1, 2
    ON CONFLICT (minute, bucket) DO UPDATE SET
        calls = calls + excluded.calls;
    INSERT INTO stats_days
    SELECT minute / 1440 * 1440, cell >> 6,
        sum(calls), sum(failed_over), sum(not_served), sum(mistaken), sum(input_tokens), sum(cache_read_tokens),
        sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost_nano), sum(unpriced), sum(duration_ms)
    FROM stats_fresh WHERE true GROUP BY 1, 2
    ON CONFLICT (minute, series) DO UPDATE SET
        calls = calls + excluded.calls, failed_over = failed_over + excluded.failed_over, not_served = not_served + excluded.not_served, mistaken = mistaken + excluded.mistaken,
        input_tokens = input_tokens + excluded.input_tokens, cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens, cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
        output_tokens = output_tokens + excluded.output_tokens, reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens, cost_nano = cost_nano + excluded.cost_nano,
        unpriced = unpriced + excluded.unpriced, duration_ms = duration_ms + excluded.duration_ms;
    INSERT INTO stats_days_first
    SELECT minute / 1440 * 1440, cell,
        sum(calls)
    FROM stats_fresh WHERE true GROUP BY 1, 2
    ON CONFLICT (minute, cell) DO UPDATE SET
        calls = calls + excluded.calls;
    DELETE FROM stats_fresh;
    DELETE FROM stats_minutes WHERE minute < new.at_ms / 60000 - 2880;
    DELETE FROM stats_quarters WHERE minute < new.at_ms / 60000 - 576000;
    DELETE FROM stats_totals WHERE minute < new.at_ms / 60000 - 576000;
    DELETE FROM stats_totals_first WHERE minute < new.at_ms / 60000 - 576000;
    DELETE FROM stats_days WHERE minute <= new.at_ms / 60000 - 577440;
    DELETE FROM stats_days_first WHERE minute <= new.at_ms / 60000 - 577440;
END
