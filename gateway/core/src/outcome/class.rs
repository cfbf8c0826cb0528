//! What an error speaks about, judged by status **and** body with one table.
//!
//! The status alone is not enough: the same 400 is the client's mistake, a dead key (Gemini), a blocked country, or a
//! model name that only llmio's catalog got wrong; the same 429 is a minute's pause or an empty account. The provider's
//! own `errors` come first, then the rows of `table` in their order, then the meaning of the status.

use super::error_text::ErrorText;
use crate::verdict::{Class, ErrorKind, ErrorRule, Hint, Verdict};
use table::TABLE;

mod table;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

/// What an error is judged by besides its own text.
#[derive(Debug, Clone, Copy)]
pub struct JudgeContext<'a> {
    /// The rows that the catalog adds for the provider.
    pub rules: &'a [ErrorRule],
    /// The request as the client wrote it, which an error may repeat.
    pub request: &'a [u8],
    /// Whether the client and not the catalog chose the model.
    pub is_clients_model: bool,
}

/// Judges an error. `hint` is the wait that it tells; the `rest` of a rule replaces it.
pub(super) fn judge(status: u16, body: &[u8], context: JudgeContext<'_>, hint: Option<Hint>) -> Verdict {
    let JudgeContext { rules, request, is_clients_model } = context;
    let text = ErrorText::of(body);
    let matches = |rule: &&ErrorRule| {
        rule.status.is_none_or(|expected| expected == status)
            && rule.text.as_ref().is_none_or(|expected| text.whole.contains(&expected.to_lowercase()))
    };
    if let Some(rule) = rules.iter().find(matches) {
        let captured = rule.rest_from.as_ref().and_then(|template| template.wait_ms(&text.whole));
        let rest = captured.or(rule.rest_ms).map(|wait_ms| Hint { wait_ms, is_reset: true }).or(hint);
        return Verdict { class: rule.class, kind: ErrorKind::Plain, rest };
    }
    let row = TABLE.iter().find(|row| row.matches(status, &text, request));
    let (class, kind) = row.map_or_else(|| by_status(status, &text, is_clients_model), |row| (row.class, row.kind));
    if kind == ErrorKind::UnknownModel && is_clients_model {
        return Verdict::of(Class::Client);
    }
    let spends = matches!(kind, ErrorKind::Quota | ErrorKind::AccountQuota | ErrorKind::FreeQuota | ErrorKind::Spent);
    // Many providers send the reset of some window with every answer. It only matters if the rate was exceeded.
    let rest = hint.filter(|hint| class == Class::Rate || spends || !hint.is_reset);
    // Waiting does not fill an empty account, however long a `retry-after` is; only a named reset does.
    let rest = rest.filter(|hint| (status, class) != (402, Class::Credential) || hint.is_reset);
    let rest = rest.map(|hint| Hint { is_reset: hint.is_reset || spends, ..hint });
    Verdict { class, kind, rest }
}

/// The meaning of a status if the body says no more.
fn by_status(status: u16, text: &ErrorText, is_clients_model: bool) -> (Class, ErrorKind) {
    let class = match status {
        200..=299 => Class::Ok,
        401 => Class::Credential,
        402 => return (Class::Credential, ErrorKind::Spent),
        // Firewalls answer 403 to contents of a prompt. The error is only about the account if it names a key, a
        // permission or money.
        403 => return (Class::Target, ErrorKind::Request),
        429 | 529 => Class::Rate,
        451 => Class::Egress,
        // The limit of a proxy in front of this provider; another provider's may be larger.
        413 if text.is_page => return (Class::Target, ErrorKind::Request),
        400 | 404 if text.is_page => Class::Target,
        // llmio chose the model and the address, and another provider may have what the client named (a file, a cache).
        404 if !is_clients_model => return (Class::Target, ErrorKind::Request),
        // llmio chose address and method, so 405 is not the client's fault; the others describe the provider's state.
        405 | 408 | 409 | 410 | 425 => Class::Target,
        400..=499 => Class::Client,
        // Redirects are never followed, since a key must not be sent where a response points.
        _ => Class::Target,
    };
    (class, ErrorKind::Plain)
}
