//! Records as files: one a line, as JSON or as a table that spreadsheets read.

use super::RecordView;
use crate::refusal::Refusal;

/// In which form records are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// A JSON object a line, as `GET /api/records/{id}` tells it.
    JsonLines,
    /// Comma-separated values (RFC 4180) with a head.
    Csv,
}

/// What a column is called, and its value.
type Column = (&'static str, fn(&RecordView) -> Option<String>);

/// The columns of a table. What is a list or a tree in a record has none, but for the providers that were tried.
const COLUMNS: [Column; 27] = [
    ("id", |record| Some(record.id.clone())),
    ("at", |record| jiff::Timestamp::from_millisecond(record.at_ms).ok().map(|at| format!("{at:.3}"))),
    ("key", |record| record.key.clone()),
    ("model", |record| record.model.clone()),
    ("endpoint", |record| record.endpoint.clone()),
    ("streamed", |record| record.streamed.map(|streamed| streamed.to_string())),
    ("session", |record| record.session.clone()),
    ("client", |record| record.client.clone()),
    ("user_agent", |record| record.user_agent.clone()),
    ("state", |record| Some(record.state.clone())),
    ("status", |record| number(record.status)),
    ("error", |record| record.error.clone()),
    ("tried", |record| Some(record.attempted_providers().join(" > "))),
    ("provider", |record| record.provider.clone()),
    ("upstream_model", |record| record.upstream_model.clone()),
    ("first_byte_ms", |record| number(record.first_byte_ms)),
    ("first_content_ms", |record| number(record.first_content_ms)),
    ("duration_ms", |record| number(record.duration_ms)),
    ("bytes_in", |record| number(record.bytes_in)),
    ("bytes_out", |record| number(record.bytes_out)),
    ("input_tokens", |record| number(record.input_tokens)),
    ("cache_read_tokens", |record| number(record.cache_read_tokens)),
    ("cache_write_tokens", |record| number(record.cache_write_tokens)),
    ("output_tokens", |record| number(record.output_tokens)),
    ("reasoning_tokens", |record| number(record.reasoning_tokens)),
    ("cost_nano", |record| number(record.cost_nano)),
    ("price", |record| record.price.clone()),
];

fn number(number: Option<i64>) -> Option<String> {
    number.map(|number| number.to_string())
}

impl Export {
    /// Takes `format` out of a query.
    pub fn parse(query: &str) -> Result<(Self, String), Refusal> {
        let (mut format, mut rest) = (Self::JsonLines, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("format", "jsonl")) => format = Self::JsonLines,
                Some(("format", "csv")) => format = Self::Csv,
                Some(("format", other)) => {
                    return Err(Refusal::bad_request(format!("`format` must be jsonl or csv, not {other:?}.")));
                }
                _ => rest.push(pair),
            }
        }
        Ok((format, rest.join("&")))
    }

    /// The headers of the file.
    pub fn headers(self) -> [(&'static str, &'static str); 2] {
        match self {
            Self::JsonLines => [
                ("content-type", "application/jsonl; charset=utf-8"),
                ("content-disposition", "attachment; filename=\"records.jsonl\""),
            ],
            Self::Csv => [
                ("content-type", "text/csv; charset=utf-8"),
                ("content-disposition", "attachment; filename=\"records.csv\""),
            ],
        }
    }

    /// What stands before the first record.
    pub fn head(self) -> String {
        match self {
            Self::JsonLines => String::new(),
            Self::Csv => COLUMNS.map(|(name, _)| name).join(",") + "\r\n",
        }
    }

    /// The line of a record.
    pub fn line(self, record: &RecordView) -> String {
        match self {
            Self::JsonLines => serde_json::to_string(record).unwrap_or_default() + "\n",
            Self::Csv => COLUMNS.map(|(_, value)| field(value(record).unwrap_or_default())).join(",") + "\r\n",
        }
    }
}

/// A field of a table. Clients choose some of these texts, and spreadsheets would take one that begins so for a formula.
fn field(text: String) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<i64>().is_err();
    let text = if is_formula { format!("'{text}") } else { text };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::StoredJson;

    #[test]
    fn a_query_names_the_form_and_keeps_its_filters() {
        let parsed = |query: &str| Export::parse(query).expect(query);
        assert_eq!(parsed("key=a&format=csv&state=ok"), (Export::Csv, "key=a&state=ok".to_owned()));
        assert_eq!(parsed(""), (Export::JsonLines, String::new()));
        let refusal = Export::parse("format=xlsx").expect_err("no such form");
        assert_eq!(refusal.message, "`format` must be jsonl or csv, not \"xlsx\".");
    }

    #[test]
    fn a_table_has_a_field_for_each_column_and_no_formula() {
        let attempts = r#"[{"provider":"a","model":"x","class":"target","start_ms":1,"end_ms":2},{"provider":"b","model":"x","class":"ok","start_ms":3,"end_ms":4}]"#;
        let record = RecordView {
            id: "r".into(),
            at_ms: 1_796_034_030_123,
            user_agent: Some("=cmd|' /C calc'!A0".into()),
            error: Some("said \"no\", twice\n".into()),
            status: Some(-1),
            attempts: Some(StoredJson::read(attempts.to_owned())),
            ..RecordView::default()
        };
        let line = Export::Csv.line(&record);
        assert!(
            line.starts_with(
                "r,2026-11-30T10:20:30.123Z,,,,,,,'=cmd|' /C calc'!A0,,-1,\"said \"\"no\"\", twice\n\",a > b,"
            ),
            "{line}"
        );
        let commas = |text: &str| text.matches(',').count();
        assert_eq!(commas(&line.replace(", twice", "")), commas(&Export::Csv.head()));
        let json = Export::JsonLines.line(&record);
        assert!(json.ends_with("}\n") && json.contains("\"id\":\"r\""), "{json}");
    }
}
