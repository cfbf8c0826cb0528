//! The statements by which cells are added up. Short steps are read from minutes. For longer ones totals are read by quarter
//! (`TOTALS`), and series by day of UTC with the quarters before the first and after the last whole day, since a zone's days
//! begin with any quarter. What is not gathered yet is added to each.

/// The sums of cells, in the order of their columns.
macro_rules! sums {
    () => {
        "sum(calls), sum(failed_over), sum(not_served), sum(mistaken), sum(input_tokens), sum(cache_read_tokens), \
         sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost_nano), sum(unpriced), sum(duration_ms)"
    };
}

/// The same with the names of the columns, to be added up again.
macro_rules! named_sums {
    () => {
        "sum(calls) AS calls, sum(failed_over) AS failed_over, sum(not_served) AS not_served, sum(mistaken) AS mistaken, \
         sum(input_tokens) AS input_tokens, sum(cache_read_tokens) AS cache_read_tokens, \
         sum(cache_write_tokens) AS cache_write_tokens, sum(output_tokens) AS output_tokens, \
         sum(reasoning_tokens) AS reasoning_tokens, sum(cost_nano) AS cost_nano, sum(unpriced) AS unpriced, \
         sum(duration_ms) AS duration_ms"
    };
}

/// How minutes that are not gathered yet become those of a table's cells.
macro_rules! length {
    ("stats_quarters") => {
        "15 * 15"
    };
    ("stats_minutes") => {
        "1"
    };
}

/// The cells of these minutes, of whom is meant: where nothing narrows them, no series is looked up.
macro_rules! cells {
    ($table:literal) => {
        cells!($table, "cell >> 6", "?1", "?2")
    };
    ($table:literal, $series:literal, $from:literal, $until:literal) => {
        concat!(
            $table,
            " WHERE minute >= ",
            $from,
            " AND minute < ",
            $until,
            " AND (?3 = 0 OR ",
            $series,
            " IN (SELECT id FROM stats_series \
             WHERE (?4 IS NULL OR model = ?4) AND (?5 IS NULL OR provider = ?5) AND (?6 IS NULL OR upstream_model = ?6) \
             AND (?7 IS NULL OR credential = ?7) AND (?8 IS NULL OR key = ?8) AND (?9 IS NULL OR client = ?9)))"
        )
    };
}

/// The sums of each minute that cells have. They stand in this order, so that what is many is not sorted. Those that are not
/// gathered yet may take something back from the others, so both are added before anybody reads them.
macro_rules! by_minute {
    ($table:tt) => {
        concat!(
            "SELECT minute, ",
            sums!(),
            " FROM (SELECT minute, ",
            named_sums!(),
            " FROM ",
            cells!($table),
            " GROUP BY minute UNION ALL SELECT minute / ",
            length!($table),
            ", ",
            named_sums!(),
            " FROM ",
            cells!("stats_fresh"),
            " GROUP BY 1) GROUP BY minute"
        )
    };
}

/// When the first content came of the calls of each minute.
macro_rules! first_by_minute {
    ($table:tt) => {
        concat!(
            "SELECT minute, bucket, sum(calls) FROM (SELECT minute, cell & 63 AS bucket, sum(calls) AS calls FROM ",
            cells!($table),
            " GROUP BY 1, 2 UNION ALL SELECT minute / ",
            length!($table),
            ", cell & 63, sum(calls) FROM ",
            cells!("stats_fresh"),
            " GROUP BY 1, 2) GROUP BY 1, 2"
        )
    };
}

/// The numbers of a cell.
macro_rules! numbers {
    () => {
        "calls, failed_over, not_served, mistaken, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, \
         reasoning_tokens, cost_nano, unpriced, duration_ms"
    };
}

/// The sums of each series, of cells and of those that are not gathered yet.
macro_rules! by_series {
    ($($cells:tt)+) => {
        concat!(
            "SELECT key, model, provider, upstream_model, credential, client, found.* FROM (SELECT series, ",
            sums!(),
            " FROM (",
            $($cells)+,
            " UNION ALL ",
            of_series!("stats_fresh"),
            ") GROUP BY 1) AS found LEFT JOIN stats_series ON id = series LIMIT 20000"
        )
    };
}

/// The numbers of a table's cells, each with its series.
macro_rules! of_series {
    ($table:literal) => {
        of_series!($table, "?1", "?2")
    };
    ($table:literal, $from:literal, $until:literal) => {
        concat!("SELECT cell >> 6 AS series, ", numbers!(), " FROM ", cells!($table, "cell >> 6", $from, $until))
    };
}

/// When the first content came of the calls of each series.
macro_rules! first_by_series {
    ($($cells:tt)+) => {
        concat!(
            "SELECT key, model, provider, upstream_model, credential, client, of_cell & 63, calls FROM (SELECT cell AS of_cell, \
             sum(calls) AS calls FROM (",
            $($cells)+,
            " UNION ALL ",
            calls_of_cells!("stats_fresh", "?1", "?2"),
            ") GROUP BY 1) LEFT JOIN stats_series ON id = of_cell >> 6 LIMIT 50000"
        )
    };
}

macro_rules! calls_of_cells {
    ($table:literal, $from:literal, $until:literal) => {
        concat!("SELECT cell, calls FROM ", cells!($table, "cell >> 6", $from, $until))
    };
}

/// The rows of a table, and of what is not gathered yet, that lie within the steps of `?1`, each with the position of its step.
macro_rules! of_steps {
    ($columns:expr, $table:literal, $fresh_columns:expr) => {
        concat!(
            "(SELECT step.key AS step, ",
            $columns,
            " FROM json_each(?1) AS step CROSS JOIN ",
            $table,
            " WHERE minute >= step.value ->> 0 AND minute < step.value ->> 1 UNION ALL SELECT step.key, ",
            $fresh_columns,
            " FROM json_each(?1) AS step CROSS JOIN stats_fresh \
             WHERE minute >= step.value ->> 0 AND minute < step.value ->> 1)"
        )
    };
}

/// The statements that read sums, and when the first content came, from cells of one length or from totals.
pub(super) struct Statements {
    pub(super) sums: &'static str,
    pub(super) first: &'static str,
}

pub(super) const QUARTERS: Statements =
    Statements { sums: by_minute!("stats_quarters"), first: first_by_minute!("stats_quarters") };

pub(super) const MINUTES: Statements =
    Statements { sums: by_minute!("stats_minutes"), first: first_by_minute!("stats_minutes") };

/// Of all calls, step by step.
pub(super) const TOTALS: Statements = Statements {
    sums: concat!("SELECT step, ", sums!(), " FROM ", of_steps!(numbers!(), "stats_totals", numbers!()), " GROUP BY 1"),
    first: concat!(
        "SELECT step, bucket, sum(calls) FROM ",
        of_steps!("bucket, calls", "stats_totals_first", "cell & 63, calls"),
        " GROUP BY 1, 2"
    ),
};

pub(super) const SERIES_BY_MINUTES: &str = by_series!(of_series!("stats_minutes"));

/// Whole days of UTC between `?10` and `?11`, and the quarters before and after them.
pub(super) const SERIES_BY_DAYS: &str = by_series!(concat!(
    "SELECT series, ",
    numbers!(),
    " FROM ",
    cells!("stats_days", "series", "?10", "?11"),
    " UNION ALL ",
    of_series!("stats_quarters", "?1", "?10"),
    " UNION ALL ",
    of_series!("stats_quarters", "?11", "?2")
));

pub(super) const FIRST_BY_MINUTES: &str = first_by_series!(calls_of_cells!("stats_minutes", "?1", "?2"));

pub(super) const FIRST_BY_DAYS: &str = first_by_series!(concat!(
    calls_of_cells!("stats_days_first", "?10", "?11"),
    " UNION ALL ",
    calls_of_cells!("stats_quarters", "?1", "?10"),
    " UNION ALL ",
    calls_of_cells!("stats_quarters", "?11", "?2")
));

pub(super) const CALLS: &str = concat!(
    "SELECT sum(calls) FROM (SELECT calls FROM ",
    cells!("stats_quarters"),
    " UNION ALL SELECT calls FROM ",
    cells!("stats_fresh"),
    ")"
);

pub(super) const CALLS_IN_TOTAL: &str = "SELECT sum(calls) FROM (SELECT calls FROM stats_totals WHERE minute >= ?1 AND minute < ?2 \
                              UNION ALL SELECT calls FROM stats_fresh WHERE minute >= ?1 AND minute < ?2)";

/// What the calls of one key used, by day and model.
pub(super) const USED: &str = concat!(
    "SELECT step, model, sum(calls), sum(input_tokens), sum(cache_read_tokens), sum(output_tokens), sum(cost_nano), \
     sum(unpriced) FROM ",
    "(SELECT step.key AS step, cells.* FROM json_each(?1) AS step CROSS JOIN stats_quarters AS cells \
     WHERE cells.minute >= step.value ->> 0 AND cells.minute < step.value ->> 1 \
     UNION ALL SELECT step.key, fresh.* FROM json_each(?1) AS step CROSS JOIN stats_fresh AS fresh \
     WHERE fresh.minute >= step.value ->> 0 AND fresh.minute < step.value ->> 1)",
    " JOIN stats_series ON id = cell >> 6 WHERE key = ?2 GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2"
);
