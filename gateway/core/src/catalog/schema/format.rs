//! The formats of single values: text in, a checked value or a sentence out.
//!
//! Every function here is total and pure, and no sentence repeats the text: it may be a secret in the wrong place.

use std::net::{IpAddr, Ipv6Addr};

use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::super::Network;
use crate::headers::HOP_BY_HOP;

const NAME_CHARACTERS_MAX: usize = 200;
const SECRET_BYTES_MAX: usize = 4096;
const USER_BYTES_MAX: usize = 255;

/// Headers that a catalog must not set: the gateway and the host set them, or they are hop-by-hop.
const HEADERS_NOT_ALLOWED: [&str; 6] =
    ["authorization", "content-encoding", "content-length", "cookie", "expect", "host"];

/// The parts of a URL that are used.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::catalog) struct Url {
    pub(in crate::catalog) scheme: &'static str,
    pub(in crate::catalog) authority: String,
    /// With a leading and no trailing slash, or empty.
    pub(in crate::catalog) path: String,
}

impl Url {
    /// Scheme, host and port. A secret may only be sent to its own origin.
    pub(in crate::catalog) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority.to_ascii_lowercase())
    }
}

/// An `http` or `https` URL without user, query and fragment.
pub(in crate::catalog) fn http_url(text: &str) -> Result<Url, String> {
    url(text, &["https", "http"])
}

/// The names of credentials in queries. Addresses are shown, so they must contain no credential.
const SECRETS_IN_QUERIES: [&str; 7] = ["key", "api_key", "apikey", "api-key", "token", "access_token", "secret"];

/// The same with a query, which is added to every request: `https://x.example/v1?api-version=1`.
pub(in crate::catalog) fn base_url(text: &str) -> Result<(Url, String), String> {
    let (address, query) = text.split_once('?').unwrap_or((text, ""));
    check_query(query)?;
    let is_secret = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        SECRETS_IN_QUERIES.iter().any(|secret| name.eq_ignore_ascii_case(secret))
    };
    if query.split('&').any(is_secret) {
        return Err("holds a secret in its query; use credentials with auth = \"query\", or a secret value of `query`"
            .to_owned());
    }
    http_url(address).map(|url| (url, query.to_owned()))
}

fn check_query(query: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte);
    if query.bytes().all(allowed) {
        return Ok(());
    }
    Err("has characters in its query that a URL must write as %XX".to_owned())
}

/// The name of a pair in a query, made of characters that need no escape there.
pub(in crate::catalog) fn query_name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~$".contains(&byte);
    if text.is_empty() || text.len() > 128 || !text.bytes().all(plain) {
        return Err("is no plain name of a query's parameter".to_owned());
    }
    Ok(text.to_owned())
}

const PROXY_SCHEMES: [&str; 4] = ["http", "https", "socks5", "socks5h"];

/// The address of an egress proxy. User and password may stand before an `@`.
pub(in crate::catalog) fn proxy_url(text: &str) -> Result<(), String> {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    if !PROXY_SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
        return Err(format!("must start with {}", starts(&PROXY_SCHEMES)));
    }
    let (user, address) = match rest.rsplit_once('@') {
        Some((user, address)) => (Some(user), address),
        None => (None, rest),
    };
    let address = address.strip_suffix('/').unwrap_or(address);
    if address.contains(['/', '?', '#']) {
        return Err("must end after host and port".to_owned());
    }
    check_authority(address)?;
    user.map_or(Ok(()), check_user)
}

/// `user` or `user:password`, percent-encoded where needed.
fn check_user(user: &str) -> Result<(), String> {
    // RFC 3986, section 3.2.1.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%".contains(&byte);
    let mut escapes = user.split('%').skip(1);
    let is_escape =
        |rest: &str| rest.get(..2).is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    if !user.bytes().all(allowed) || !escapes.all(is_escape) {
        return Err("has characters in its user or password that a URL must write as %XX".to_owned());
    }
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    // RFC 1929 gives each one byte for its length.
    if name.is_empty() || name.len() > USER_BYTES_MAX || password.len() > USER_BYTES_MAX {
        return Err(format!("must have a user and a password of at most {USER_BYTES_MAX} characters before the @"));
    }
    Ok(())
}

/// Scheme, host and port, nothing else.
pub(in crate::catalog) fn origin(text: &str) -> Result<Url, String> {
    let url = http_url(text)?;
    if url.path.is_empty() { Ok(url) } else { Err("must be an origin: scheme, host and port, no path".to_owned()) }
}

fn url(text: &str, schemes: &[&'static str]) -> Result<Url, String> {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let Some(scheme) = schemes.iter().copied().find(|known| known.eq_ignore_ascii_case(scheme)) else {
        return Err(format!("must start with {}", starts(schemes)));
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    if rest.contains(['?', '#']) {
        return Err("must have no query and no fragment".to_owned());
    }
    if authority.contains('@') {
        return Err("must hold no user or password; use credentials".to_owned());
    }
    check_authority(authority)?;
    check_path(path)?;
    Ok(Url { scheme, authority: authority.to_owned(), path: path.trim_end_matches('/').to_owned() })
}

fn starts(schemes: &[&str]) -> String {
    let prefixes: Vec<String> = schemes.iter().map(|scheme| format!("{scheme}://")).collect();
    super::alternatives(&prefixes.iter().map(String::as_str).collect::<Vec<_>>())
}

fn check_authority(authority: &str) -> Result<(), String> {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            address.parse::<Ipv6Addr>().map_err(|_| "has no valid IPv6 address between [ and ]".to_owned())?;
            (None, port.strip_prefix(':').or((!port.is_empty()).then_some("?")))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(authority), None),
        },
    };
    if host.is_some_and(|host| !is_host(host)) {
        return Err("has no valid host (a name outside ASCII is written in its xn-- form)".to_owned());
    }
    match port {
        None => Ok(()),
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|p| p > 0) => {
            Ok(())
        }
        Some(_) => Err("has no valid port after the colon (1 to 65535)".to_owned()),
    }
}

fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}

fn check_path(path: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if !path.bytes().all(allowed) {
        return Err("has characters in its path that a URL must write as %XX".to_owned());
    }
    if path.split('/').any(|segment| segment == "." || segment == "..") {
        return Err("must have no `.` or `..` in its path".to_owned());
    }
    Ok(())
}

/// Milliseconds of `"500ms"`, `"5s"`, `"60m"`, `"1h"`, `"1d"` or several in a row: `"1h30m"`.
pub(in crate::catalog) fn duration_ms(text: &str) -> Result<u64, String> {
    let wrong = || "must be a duration like \"500ms\", \"5s\", \"60m\" or \"1h30m\"".to_owned();
    let mut rest = text.trim();
    let mut total_ms: u64 = 0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let unit_ms: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        total_ms = number.checked_mul(unit_ms).and_then(|ms| ms.checked_add(total_ms)).ok_or_else(wrong)?;
        rest = tail.trim_start();
    }
    Ok(total_ms)
}

/// The shortest way to write a duration.
pub(in crate::catalog) fn human_duration(duration_ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    let found = units.into_iter().find(|(unit_ms, _)| duration_ms >= *unit_ms && duration_ms.is_multiple_of(*unit_ms));
    found.map_or_else(|| format!("{duration_ms}ms"), |(unit_ms, unit)| format!("{}{unit}", duration_ms / unit_ms))
}

/// A network in CIDR notation, or a single address.
pub(in crate::catalog) fn network(text: &str) -> Result<Network, String> {
    let wrong = || "must be a network like \"10.0.0.0/8\" or \"fd00::/8\", or one address".to_owned();
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let bits: u8 = if address.is_ipv4() { 32 } else { 128 };
    let prefix: u8 = match prefix {
        Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => prefix.parse().map_err(|_| wrong())?,
        Some(_) => return Err(wrong()),
        None => bits,
    };
    if prefix > bits {
        return Err(format!("has a prefix longer than {bits} bits"));
    }
    Ok(match (address, address.to_canonical()) {
        (IpAddr::V6(_), mapped @ IpAddr::V4(_)) if prefix >= 96 => Network { address: mapped, prefix: prefix - 96 },
        _ => Network { address, prefix },
    })
}

/// A header's name in lower case.
pub(in crate::catalog) fn header_name(text: &str) -> Result<String, String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.is_empty() || text.len() > 128 || !text.bytes().all(token) {
        return Err("is no valid header name".to_owned());
    }
    let name = text.to_ascii_lowercase();
    // x-llmio-host speaks to the runner, spin-* to Spin: a catalog must not pose as the gateway.
    let is_set_here = HOP_BY_HOP.contains(&name.as_str()) || HEADERS_NOT_ALLOWED.contains(&name.as_str());
    if is_set_here || name.starts_with("x-llmio-") || name.starts_with("spin-") {
        return Err("may not be set here: llmio or the connection sets it (credentials go into credentials)".to_owned());
    }
    Ok(name)
}

/// The name of a client header that may be forwarded: never one that tells who or where the client is.
pub(in crate::catalog) fn forwarded_header(text: &str) -> Result<String, String> {
    const PRIVATE: [&str; 6] = ["x-api-key", "api-key", "x-goog-api-key", "forwarded", "x-real-ip", "via"];
    let name = header_name(text)?;
    if PRIVATE.contains(&name.as_str()) || name.starts_with("x-forwarded-") {
        return Err("is never forwarded: it holds a client's credential or address".to_owned());
    }
    Ok(name)
}

/// A header's value.
pub(in crate::catalog) fn header_value(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > SECRET_BYTES_MAX {
        return Err(format!("must have 1 to {SECRET_BYTES_MAX} characters"));
    }
    if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || text.trim() != text {
        return Err("must be printable ASCII on one line, with no space at either end".to_owned());
    }
    Ok(())
}

/// An API key of a provider.
pub(in crate::catalog) fn credential(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > SECRET_BYTES_MAX {
        return Err(format!("must have 1 to {SECRET_BYTES_MAX} characters"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("must be printable ASCII without spaces or line breaks; was it copied whole?".to_owned());
    }
    Ok(())
}

/// The `X` of `${X}`; `Ok(None)` when the text is no reference at all.
pub(in crate::catalog) fn variable_reference(text: &str) -> Result<Option<&str>, String> {
    let Some(rest) = text.strip_prefix("${") else {
        return Ok(None);
    };
    match rest.strip_suffix('}').filter(|name| is_word(name)) {
        Some(name) => variable_name(name).map(|_| Some(name)),
        None => Err("must be a variable reference as a whole, like \"${NAME}\"".to_owned()),
    }
}

/// The variables of the host itself (`host.md`). A credential that named one of these would send llmio's own secrets to
/// a provider.
const VARIABLES_RESERVED: [&str; 8] =
    ["boot", "catalog", "draining", "host_metrics", "master_key", "master_key_previous", "secrets", "token"];

/// Why a text is no variable name.
pub(in crate::catalog) fn variable_name(text: &str) -> Result<String, String> {
    if VARIABLES_RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(text)) {
        return Err("must not be a variable of llmio itself; give the provider's key a name of its own".to_owned());
    }
    if is_word(text) { Ok(text.to_owned()) } else { Err("must be a variable's name: letters, digits and _".to_owned()) }
}

/// A variable's name, as an environment and Spin both can hold it.
pub(in crate::catalog) fn is_word(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    starts_well && text.len() <= 128 && text.bytes().all(word)
}

/// A name people and clients write.
pub(in crate::catalog) fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().count() > NAME_CHARACTERS_MAX {
        return Err(format!("must have 1 to {NAME_CHARACTERS_MAX} characters"));
    }
    if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Err("must have no spaces, line breaks or control characters".to_owned());
    }
    if text.contains('*') {
        return Err("must have no `*`; a pattern goes into aliases".to_owned());
    }
    Ok(text.to_owned())
}

/// A provider's own name for a model, which is sent unchanged.
pub(in crate::catalog) fn upstream_model(text: &str) -> Result<String, String> {
    if text.contains('*') {
        return Err("may have one `*`, at its end, for the name that the client asks for".to_owned());
    }
    name(text)
}

/// A provider's name: short targets split at the first slash.
pub(in crate::catalog) fn provider_name(text: &str) -> Result<String, String> {
    let name = name(text)?;
    if name.contains('/') { Err("must have no `/`: short targets split there".to_owned()) } else { Ok(name) }
}

/// A relay's name: one segment of a path.
pub(in crate::catalog) fn path_segment(text: &str) -> Result<String, String> {
    let name = name(text)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.bytes().all(plain) && name != "." && name != ".." {
        return Ok(name);
    }
    Err("must be letters, digits, `-`, `_` and `.`: it is part of a URL".to_owned())
}

/// A label or another text people read.
pub(in crate::catalog) fn label(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().count() > NAME_CHARACTERS_MAX || text.chars().any(char::is_control) {
        return Err(format!("must have 1 to {NAME_CHARACTERS_MAX} characters on one line"));
    }
    Ok(text.to_owned())
}

/// One or two characters that stand for a name.
pub(in crate::catalog) fn short_label(text: &str) -> Result<String, String> {
    if !matches!(text.chars().count(), 1 | 2) || text.chars().any(|each| each.is_whitespace() || each.is_control()) {
        return Err("must have one or two characters, and no blanks".to_owned());
    }
    Ok(text.to_owned())
}

/// The path of a file, as far as an instruction to the host can contain it.
pub(in crate::catalog) fn file_path(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b';';
    if text.is_empty() || text.len() > SECRET_BYTES_MAX || !text.bytes().all(is_plain) || text.trim() != text {
        return Err("must be the path of a file, in ASCII and without `;`".to_owned());
    }
    Ok(text.to_owned())
}

/// A name, or a pattern with one `*` at its end.
pub(in crate::catalog) fn pattern(text: &str) -> Result<String, String> {
    let stem = text.strip_suffix('*').unwrap_or(text);
    if stem.contains('*') {
        return Err("may have a `*` at its end only".to_owned());
    }
    if !stem.is_empty() {
        name(stem)?;
    } else if text.is_empty() {
        return Err("must not be empty".to_owned());
    }
    Ok(text.to_owned())
}

/// An upstream name, or a pattern with one `*` at either end: OpenRouter's free models end in `:free`.
pub(in crate::catalog) fn model_pattern(text: &str) -> Result<String, String> {
    match text.strip_prefix('*') {
        Some(end) if !end.is_empty() => name(end)
            .map(|_| text.to_owned())
            .map_err(|_| "may have one `*`, at its beginning or its end, and no spaces".to_owned()),
        _ => pattern(text),
    }
}

/// A zone of the IANA database.
pub(in crate::catalog) fn zone(text: &str) -> Result<TimeZone, String> {
    let wrong = "must be an IANA time zone like \"Asia/Shanghai\" or \"UTC\"";
    TimeZone::get(text).map_err(|_| wrong.to_owned())
}

/// A time of day, `HH:MM`.
pub(in crate::catalog) fn time_of_day(text: &str) -> Result<Time, String> {
    let two_digits = |part: &str| {
        let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| part.parse::<i8>().ok()).flatten()
    };
    let time = text
        .split_once(':')
        .and_then(|(hours, minutes)| Time::new(two_digits(hours)?, two_digits(minutes)?, 0, 0).ok());
    time.ok_or_else(|| "must be a time of day like \"08:00\"".to_owned())
}

/// The name of a pool of credentials: one segment of an id.
pub(in crate::catalog) fn pool(text: &str) -> Result<String, String> {
    let name = name(text)?;
    if name.contains('/') { Err("must have no `/`: the ids of quotas split there".to_owned()) } else { Ok(name) }
}

/// A currency's three letters.
pub(in crate::catalog) fn currency(text: &str) -> Result<String, String> {
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(text.to_owned());
    }
    Err("must be a currency's three capital letters, like \"USD\"".to_owned())
}

/// An amount of money as it is written.
#[derive(Debug, PartialEq)]
pub(in crate::catalog) struct Money {
    /// More than zero.
    pub(in crate::catalog) amount: f64,
    pub(in crate::catalog) currency: String,
}

/// `"10 USD"`.
pub(in crate::catalog) fn money(text: &str) -> Result<Money, String> {
    let wrong = || "must be an amount with its currency, like \"10 USD\"".to_owned();
    let (amount, code) = text.split_once(' ').ok_or_else(wrong)?;
    let plain = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let amount: f64 = amount.bytes().all(plain).then_some(amount).ok_or_else(wrong)?.parse().map_err(|_| wrong())?;
    let currency = currency(code).map_err(|_| wrong())?;
    if amount > 0.0 { Ok(Money { amount, currency }) } else { Err(wrong()) }
}

/// The period of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::catalog) enum Period {
    /// The last so many hours.
    Hours(u64),
    /// A day of the calendar.
    Day,
    /// A week of it.
    Week,
    /// A month of it.
    Month,
    /// All time.
    Total,
}

/// The longest period of a budget.
pub(in crate::catalog) const HOURS_MAX: u64 = 24 * 366;

/// The amount of `"5 USD/day"`, `"5 USD/5h"` or `"100 USD/30d"`, and the period.
pub(in crate::catalog) fn budget(text: &str) -> Result<(Money, Period), String> {
    let wrong =
        || "must be a budget like \"5 USD/day\" (hour, day, week, month, total, or so many: 5h, 30d)".to_owned();
    let (amount, period) = text.split_once('/').ok_or_else(wrong)?;
    Ok((money(amount).map_err(|_| wrong())?, self::period(period).ok_or_else(wrong)?))
}

fn period(text: &str) -> Option<Period> {
    let hours = |count: &str, each: u64| {
        let count: u64 = count.bytes().all(|byte| byte.is_ascii_digit()).then(|| count.parse().ok()).flatten()?;
        count.checked_mul(each).filter(|hours| (1..=HOURS_MAX).contains(hours)).map(Period::Hours)
    };
    match text {
        "hour" => Some(Period::Hours(1)),
        "day" => Some(Period::Day),
        "week" => Some(Period::Week),
        "month" => Some(Period::Month),
        "total" => Some(Period::Total),
        _ => match (text.strip_suffix('h'), text.strip_suffix('d')) {
            (Some(count), _) => hours(count, 1),
            (_, Some(count)) => hours(count, 24),
            _ => None,
        },
    }
}

/// The SHA-256 of a key: `sha256:` and 64 hexadecimal digits.
pub(in crate::catalog) fn hash(text: &str) -> Result<[u8; 32], String> {
    let wrong = || "must be `sha256:` and 64 hexadecimal digits, as `llmio keys create` prints it".to_owned();
    let digits = text.strip_prefix("sha256:").ok_or_else(wrong)?;
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut hash = [0u8; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(hash)
}

/// Unix milliseconds of an RFC 3339 time.
pub(in crate::catalog) fn timestamp_ms(text: &str) -> Result<i64, String> {
    let wrong = "must be a time with its offset, like \"2027-01-01T00:00:00Z\"";
    text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond).map_err(|_| wrong.to_owned())
}

#[cfg(test)]
mod tests;
