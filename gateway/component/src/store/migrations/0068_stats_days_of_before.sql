CREATE TRIGGER IF NOT EXISTS stats_days_of_before AFTER INSERT ON maintenance
WHEN new.name = 'stats_days'
BEGIN
    DELETE FROM stats_totals;
    DELETE FROM stats_totals_first;
    DELETE FROM stats_days;
    DELETE FROM stats_days_first;
    INSERT INTO stats_totals
    SELECT minute / 15 * 15,
        sum(calls), sum(failed_over), sum(not_served), sum(mistaken), sum(input_tokens), sum(cache_read_tokens),
        sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost_nano), sum(unpriced), sum(duration_ms)
    FROM stats_quarters WHERE true GROUP BY 1;
    INSERT INTO stats_totals_first
    SELECT minute / 15 * 15, cell & 63,
        sum(calls)
    FROM stats_quarters WHERE true GROUP BY 1, 2;
    INSERT INTO stats_days
    SELECT minute / 1440 * 1440, cell >> 6,
        sum(calls), sum(failed_over), sum(not_served), sum(mistaken), sum(input_tokens), sum(cache_read_tokens),
        sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost_nano), sum(unpriced), sum(duration_ms)
    FROM stats_quarters WHERE true GROUP BY 1, 2;
    INSERT INTO stats_days_first
    SELECT minute / 1440 * 1440, cell,
        sum(calls)
    FROM stats_quarters WHERE true GROUP BY 1, 2;
END
