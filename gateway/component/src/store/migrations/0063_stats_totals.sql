CREATE TABLE IF NOT EXISTS stats_totals (
    minute INTEGER PRIMARY KEY,
    calls INTEGER NOT NULL,
    failed_over INTEGER NOT NULL,
    not_served INTEGER NOT NULL,
    mistaken INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL
)
