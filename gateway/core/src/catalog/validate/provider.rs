//! `[[providers]]`: an upstream service, filled in by its preset where the document says nothing.

use std::sync::Arc;

use crate::catalog::provider::ProviderPrices;
use crate::catalog::schema::format::{self, Url};
use crate::catalog::schema::{Fields, Place, alternatives, did_you_mean};
use crate::catalog::{Endpoint, Patience, PhaseLimits, Provider, ProviderKind, ProviderLabel, Value};
use crate::dialect::{Auth, Dialect};
use crate::providers::{self, ECHO, KnownProvider};
use crate::uri::host_and_port;
use crate::verdict::{Class, ErrorRule, WaitTemplate};

use super::model::{read_patience, read_phases};
use super::quota::{self, Measures};
use super::{credential, name_at};

const AUTHS: [(&str, Auth); 5] = [
    ("bearer", Auth::Bearer),
    ("x-api-key", Auth::XApiKey),
    ("api-key", Auth::ApiKey),
    ("x-goog-api-key", Auth::XGoogApiKey),
    ("query", Auth::Query),
];
/// Paths that people copy together with the base URL. The gateway appends them itself.
const COPIED_PATHS: [&str; 5] = ["/chat/completions", "/completions", "/embeddings", "/responses", "/messages"];
const REST_MS_MAX: u64 = 7 * 86_400_000;

pub(super) fn read(place: &Place<'_>, measures: Measures<'_>) -> Provider {
    let Some(mut fields) = place.fields() else {
        return nothing();
    };
    let preset = fields.field("preset").and_then(|place| read_preset(&place));
    let name = read_name(&mut fields, preset);
    let label = fields.field("label").and_then(|place| read_label(&place)).unwrap_or_default();
    let echo = preset.is_some_and(|preset| preset.name == ECHO);
    // A private address is intended where the preset's own one is used.
    let is_local = preset.is_some_and(|preset| preset.local) && !fields.has("base_url") && !fields.has("endpoints");
    let endpoints = read_endpoints(&mut fields, preset);
    let auth = fields.field("auth").and_then(|place| read_auth(&place)).or(preset.and_then(|preset| preset.auth));
    let credentials = fields.field("credentials").map(|place| credential::read_all(&place, &name, measures));
    let (headers, secret_headers) = read_pairs(fields.field("headers"), format::header_name, "header names");
    let (query, secret_query) = read_pairs(fields.field("query"), format::query_name, "names in a query");
    let timeouts = fields.field("timeouts").map(|place| read_phases(&place)).unwrap_or_default();
    let patience = read_patience(&mut fields);
    let [forward_routing, forward_files] = ["forward_routing", "forward_files"].map(|name| fields.flag(name));
    let safeguards = read_safeguards(&mut fields, &endpoints);
    let forward_headers = fields.field("forward_headers").map(|place| place.all_parsed(format::forwarded_header));
    let egress = fields.field("egress").and_then(|place| credential::read_egress(&place));
    let local = fields.field("local").and_then(|place| place.boolean()).unwrap_or(is_local);
    let ca = fields.field("ca").and_then(|place| place.parsed(format::file_path)).map(Into::into);
    let enabled = fields.enabled();
    let errors = fields.list("errors").iter().filter_map(read_error_rule).collect();
    let error_match = fields.field("error_match").map(|place| place.all_parsed(format::label)).unwrap_or_default();
    let tags = fields.field("tags").map(|place| place.all_parsed(format::name)).unwrap_or_default();
    let known = quota::read_known(&mut fields, preset);
    let quotas = quota::read_all(&mut fields, measures, known);
    if echo {
        refuse_for_echo(&fields);
    }
    fields.finish();
    let counter =
        endpoints.first().and_then(|first| providers::counter(&first.authority, preset.map(|known| known.name)));
    let refuses_stream_options =
        endpoints.iter().any(|endpoint| providers::refuses_stream_options(&endpoint.authority));
    let authority = endpoints.first().map(|endpoint| endpoint.authority.as_str());
    let announces = authority.is_some_and(providers::announces);
    let prices = ProviderPrices::listed_as(providers::price_list(authority, &name));
    let kind = if echo { ProviderKind::Echo } else { ProviderKind::Http(endpoints) };
    let forward_headers = forward_headers.unwrap_or_default();
    Provider {
        name: name.into(),
        label,
        enabled,
        kind,
        auth,
        credentials: credentials.unwrap_or_default(),
        headers,
        query,
        timeouts,
        patience,
        forward_headers,
        forward_routing,
        forward_files,
        refuses_stream_options,
        announces,
        safeguards,
        local,
        egress,
        ca,
        errors,
        error_match,
        tags,
        prices,
        quotas,
        counter,
        secret_headers,
        secret_query,
        secrets: Arc::default(),
    }
}

fn read_name(fields: &mut Fields<'_>, preset: Option<&KnownProvider>) -> String {
    match (fields.field("name"), preset) {
        (Some(place), _) => name_at(&place, format::provider_name),
        (None, Some(preset)) => preset.name.to_owned(),
        (None, None) => {
            if !fields.has("preset") {
                fields.problem_at("name", "is missing (or name a preset)");
            }
            String::new()
        }
    }
}

/// `label = { short = "MS", hue = 3 }`.
fn read_label(place: &Place<'_>) -> Option<ProviderLabel> {
    let mut fields = place.fields()?;
    let short = fields.field("short").and_then(|place| place.parsed(format::short_label));
    let hue = fields.field("hue").and_then(|place| place.small_integer(1..=8));
    fields.finish();
    Some(ProviderLabel { short, hue })
}

/// Whether its targets give Claude Code the safeguards that it asks for: what the entry says, else what is known of the
/// address.
fn read_safeguards(fields: &mut Fields<'_>, endpoints: &[Endpoint]) -> bool {
    let chosen = fields.field("safeguards").and_then(|place| place.boolean());
    chosen.unwrap_or_else(|| {
        let at_anthropic = endpoints.iter().find(|endpoint| endpoint.dialect == Dialect::Anthropic);
        at_anthropic.is_some_and(|endpoint| providers::gives_safeguards(&endpoint.authority))
    })
}

/// Takes the place of an entry that is no table, which is reported elsewhere.
pub(super) fn nothing() -> Provider {
    Provider {
        name: "".into(),
        label: ProviderLabel::default(),
        enabled: false,
        kind: ProviderKind::Echo,
        auth: None,
        credentials: Vec::new(),
        headers: Vec::new(),
        query: Vec::new(),
        timeouts: PhaseLimits::default(),
        patience: Patience::default(),
        forward_headers: Vec::new(),
        forward_routing: false,
        forward_files: false,
        refuses_stream_options: false,
        announces: false,
        safeguards: false,
        local: false,
        egress: None,
        ca: None,
        errors: Vec::new(),
        error_match: Vec::new(),
        tags: Vec::new(),
        prices: ProviderPrices::default(),
        quotas: Vec::new(),
        counter: None,
        secret_headers: Vec::new(),
        secret_query: Vec::new(),
        secrets: Arc::default(),
    }
}

fn read_preset(place: &Place<'_>) -> Option<&'static KnownProvider> {
    let name = place.text()?;
    let preset = providers::preset(name);
    if preset.is_none() {
        let names = providers::presets().map(|preset| preset.name);
        let hint = did_you_mean(name, names.clone());
        place.problem(format!("no preset has this name{hint}; there are {}", names.collect::<Vec<_>>().join(", ")));
    }
    preset
}

fn read_auth(place: &Place<'_>) -> Option<Auth> {
    let word = place.choice(&AUTHS.map(|(word, _)| word))?;
    AUTHS.iter().find(|(known, _)| *known == word).map(|(_, auth)| *auth)
}

/// `dialect` and `base_url`, or `endpoints`, or what the preset says.
fn read_endpoints(fields: &mut Fields<'_>, preset: Option<&KnownProvider>) -> Vec<Endpoint> {
    let dialect = fields.field("dialect").map(|place| read_dialect(&place));
    let base_url = fields.field("base_url");
    let endpoints = fields.field("endpoints");
    let dialect_or_default = dialect.flatten().unwrap_or(Dialect::OpenaiChat);
    match (base_url, endpoints) {
        (Some(_), Some(endpoints)) => {
            endpoints.problem("stands beside base_url; give one of the two");
            Vec::new()
        }
        (None, Some(endpoints)) => {
            if dialect.is_some() {
                fields.problem_at("dialect", "stands beside endpoints, which name their dialects; leave it out");
            }
            read_endpoint_table(&endpoints)
        }
        (Some(base_url), None) => {
            read_base_url(&base_url).map(|(url, query)| endpoint(dialect_or_default, url, query)).into_iter().collect()
        }
        (None, None) => match preset {
            Some(preset) => preset_endpoints(preset, dialect.flatten(), fields),
            None => {
                if !fields.has("preset") {
                    fields.problem_at("base_url", "is missing (or give endpoints, or name a preset)");
                }
                Vec::new()
            }
        },
    }
}

/// The endpoints of the preset, or only that of the dialect that is wanted.
fn preset_endpoints(preset: &KnownProvider, only: Option<Dialect>, fields: &Fields<'_>) -> Vec<Endpoint> {
    let spoken_endpoints = preset.endpoints.iter().filter(|(dialect, _)| only.is_none_or(|only| only == *dialect));
    let endpoints: Vec<Endpoint> = spoken_endpoints
        .filter_map(|(dialect, url)| Some(endpoint(*dialect, format::http_url(url).ok()?, String::new())))
        .collect();
    if endpoints.is_empty() && !preset.endpoints.is_empty() {
        let spoken: Vec<&str> = preset.endpoints.iter().map(|(dialect, _)| dialect.name()).collect();
        let message = format!("is not known to be spoken by {}; leave it out or give base_url", preset.name);
        fields.problem_at("dialect", format!("{message} ({})", spoken.join(", ")));
    }
    endpoints
}

fn read_dialect(place: &Place<'_>) -> Option<Dialect> {
    Dialect::named(place.choice(&Dialect::ALL.map(Dialect::name))?)
}

fn read_endpoint_table(place: &Place<'_>) -> Vec<Endpoint> {
    let entries = place.entries();
    if entries.is_empty() && place.value.is_object() {
        place.problem("is empty; give a URL for each dialect the provider speaks");
    }
    let mut endpoints = Vec::new();
    for (name, url) in entries {
        let Some(dialect) = Dialect::named(name) else {
            let names = Dialect::ALL.map(Dialect::name);
            url.problem(format!(
                "no dialect has this name; there are {}{}",
                alternatives(&names),
                did_you_mean(name, names)
            ));
            continue;
        };
        endpoints.extend(read_base_url(&url).map(|(url, query)| endpoint(dialect, url, query)));
    }
    endpoints
}

fn read_base_url(place: &Place<'_>) -> Option<(Url, String)> {
    let (url, query) = place.parsed(format::base_url)?;
    if let Some(copied) = COPIED_PATHS.into_iter().find(|path| url.path.ends_with(path)) {
        place.problem(format!("ends in {copied}, which llmio adds by itself; leave that off"));
    }
    Some((url, query))
}

/// Adds the version to an address without one, if the dialect's own paths begin with a version.
fn endpoint(dialect: Dialect, url: Url, query: String) -> Endpoint {
    let is_version = |segment: &str| {
        segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    let version = dialect.version().filter(|_| !url.path.split('/').any(is_version)).unwrap_or_default();
    let tls = url.scheme == "https";
    let address = format!("{}://{}", url.scheme, host_and_port(&url.authority, if tls { 443 } else { 80 })).into();
    Endpoint { dialect, tls, authority: url.authority, path: url.path + version, query, address }
}

/// Names with their values, and the names of those whose value is secret.
fn read_pairs(
    place: Option<Place<'_>>,
    format: fn(&str) -> Result<String, String>,
    what: &str,
) -> (Vec<(String, Value)>, Vec<String>) {
    let (mut pairs, mut secret): (Vec<(String, Value)>, Vec<String>) = (Vec::new(), Vec::new());
    for (name, place) in place.map(|place| place.entries()).unwrap_or_default() {
        let name = match format(name) {
            Ok(name) => name,
            Err(message) => {
                place.problem(message);
                continue;
            }
        };
        if pairs.iter().any(|(other, _)| *other == name) {
            place.problem(format!("is there twice: {what} do not differ in case"));
        }
        let Some(value) = credential::read_header_value(&place) else { continue };
        if !place.value.is_string() || matches!(value, Value::Variable(_)) {
            secret.push(name.clone());
        }
        pairs.push((name, value));
    }
    (pairs, secret)
}

fn read_error_rule(place: &Place<'_>) -> Option<ErrorRule> {
    let mut fields = place.fields()?;
    let status = fields.field("status").map(|place| place.integer(100..=599));
    let text = fields.field("match").map(|place| place.parsed(format::label));
    if status.is_none() && text.is_none() {
        fields.problem("needs a status, a match or both");
    }
    let class = fields.needed("is").and_then(|place| place.choice(&Class::NAMED.map(Class::name)));
    let rest_ms = fields.field("rest").and_then(|place| place.duration_ms(1..=REST_MS_MAX));
    let rest_from = fields.field("rest_from").and_then(|place| place.parsed(WaitTemplate::parse));
    fields.finish();
    let class = Class::NAMED.into_iter().find(|known| Some(known.name()) == class)?;
    let status = status.flatten().and_then(|status| u16::try_from(status).ok());
    Some(ErrorRule { status, text: text.flatten(), class, rest_ms, rest_from })
}

fn refuse_for_echo(fields: &Fields<'_>) {
    let without_meaning = [
        "base_url",
        "endpoints",
        "dialect",
        "auth",
        "credentials",
        "headers",
        "query",
        "timeouts",
        "local",
        "egress",
        "quota",
        "quotas",
        "concurrent",
    ];
    for name in without_meaning {
        if fields.has(name) {
            fields.problem_at(
                name,
                "has no meaning for the preset \"echo\", which answers inside the gateway; leave it out",
            );
        }
    }
}
