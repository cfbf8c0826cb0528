//! Claude Code Router's `config.json`: providers with their models, and which of them stand for Claude's.
//!
//! Source: the README of musistudio/claude-code-router, looked up on 2026-11-30.

use serde_json::{Map, Value, json};

use super::address;
use super::draft::{Draft, Provider, reference};
use super::row::Row;

/// From this many tokens its router takes the model for long contexts, unless it is configured otherwise.
const LONG_CONTEXT_TOKENS: i64 = 60_000;

/// Transformers that sign in as somebody's program, which llmio does not.
const OF_PROGRAMS: [&str; 5] = ["gemini-cli", "qwen-cli", "rovo-cli", "vertex-gemini", "vertex-claude"];

/// Routes that are chosen by what a request is about.
const BY_CONTENT: [(&str, &str); 3] =
    [("think", "calls that think"), ("webSearch", "calls that search the web"), ("image", "calls with images")];

pub(super) fn read(draft: &mut Draft, config: &Map<String, Value>) {
    let config = Row(config);
    let list = config.json("Providers");
    let providers = list.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    for (at, row) in providers.map(Row).enumerate() {
        provider(draft, row, &format!("Providers[{at}]"), config);
    }
    if let Some(ms) = config.integer("API_TIMEOUT_MS").filter(|ms| (1..=86_400_000).contains(ms)) {
        draft.models.iter_mut().for_each(|model| model.set("timeouts", json!({ "total": format!("{ms}ms") })));
    }
    let router = config.object("Router");
    routes(draft, Row(&router));
    match config.text("APIKEY").map(variable) {
        Some(Ok(key)) => draft.key("claude-code-router", "APIKEY", key, Map::new()),
        Some(Err(name)) => {
            let why = format!(
                "it stands in the variable {name}, which an import does not read; `llmio keys create` makes a key"
            );
            draft.left("APIKEY", why);
        }
        None => {}
    }
    for (name, why) in [
        ("CUSTOM_ROUTER_PATH", "a program that chooses models; `strategy`, `tier` and `fallback` do here"),
        ("transformers", "programs that change requests; llmio translates by itself"),
    ] {
        if config.0.contains_key(name) {
            draft.left(name, why);
        }
    }
    if config.text("HOST").is_some() || config.integer("PORT").is_some() {
        draft.left("HOST and PORT", "`--listen` says where llmio listens");
    }
}

fn provider(draft: &mut Draft, row: Row<'_>, from: &str, config: Row<'_>) {
    let name = row.text("name").unwrap_or("provider");
    let what = format!("{from} {name:?}");
    let Some(url) = row.text("api_base_url").or(row.text("baseUrl")) else {
        draft.left(what, "it has no api_base_url");
        return;
    };
    let transformer = row.object("transformer");
    let used = transformers(&transformer);
    if let Some((program, _)) = used.iter().find(|(name, _)| OF_PROGRAMS.contains(&name.as_str())) {
        draft.left(what, format!("it signs in as {program} does, which llmio does not"));
        return;
    }
    let speaks = |name: &str| used.iter().any(|(used, _)| used.eq_ignore_ascii_case(name));
    let dialect = if speaks("anthropic") || url.trim_end_matches('/').ends_with("/messages") {
        "anthropic"
    } else if speaks("gemini") && url.contains("/models") {
        "gemini"
    } else if url.trim_end_matches('/').ends_with("/responses") {
        "openai-responses"
    } else {
        "openai-chat"
    };
    let mut provider = Provider::at(name, from, dialect, &text(&address::bare(url)));
    if let Some(key) = row.text("api_key") {
        provider.credential(secret(key).into());
    }
    if let Some(proxy) = config.text("PROXY_URL") {
        provider.fields.insert("egress".to_owned(), json!({ "value": secret(proxy) }));
    }
    let place = draft.provider(provider);
    for model in row.texts("models", &[]) {
        let mut adjusted = used.clone();
        adjusted.extend(transformers(&Row(&transformer).object(&model)));
        add_model(draft, name, place, &text(&model), from, &adjusted);
    }
    let dropped: Vec<&str> =
        used.iter().map(|(name, _)| name.as_str()).filter(|name| !matches!(*name, "maxtoken" | "openrouter")).collect();
    if !dropped.is_empty() {
        let note = format!("{}: llmio knows by itself what providers and models take", dropped.join(", "));
        draft.left(format!("transformers of {what}"), note);
    }
}

/// A model by its own name, and by `provider,model`, which people gave to Claude Code's `/model`.
fn add_model(
    draft: &mut Draft,
    provider: &str,
    place: usize,
    model: &str,
    from: &str,
    used: &[(String, Map<String, Value>)],
) {
    let long = format!("{provider},{model}");
    let is_taken = draft.models.iter().any(|known| known.name == model);
    let name = if is_taken { &long } else { model };
    let added = draft.model(name, from);
    if !is_taken {
        added.alias(&long);
    }
    let target = added.target(place, model);
    for (transformer, options) in used {
        match transformer.as_str() {
            "maxtoken" => {
                if let Some(most) = options.get("max_tokens").filter(|most| most.is_u64()) {
                    target.set_in("set", "max_tokens", most.clone());
                }
            }
            "openrouter" => {
                if let Some(routing) = options.get("provider") {
                    target.set_in("set", "provider", routing.clone());
                }
            }
            _ => {}
        }
    }
}

/// The transformers of a provider or model, with their options.
fn transformers(of: &Map<String, Value>) -> Vec<(String, Map<String, Value>)> {
    let list = of.get("use").and_then(Value::as_array).into_iter().flatten();
    let each = |entry: &Value| match entry {
        Value::String(name) => Some((name.clone(), Map::new())),
        Value::Array(pair) => {
            let options = pair.get(1).and_then(Value::as_object).cloned().unwrap_or_default();
            Some((pair.first()?.as_str()?.to_owned(), options))
        }
        _ => None,
    };
    list.filter_map(each).collect()
}

/// What stands for the models of Claude that Claude Code asks for. The context of a target keeps calls from it that are
/// too long, so the target for long contexts comes after it.
fn routes(draft: &mut Draft, router: Row<'_>) {
    let find = |draft: &Draft, route: &str| -> Option<(usize, String)> {
        let (provider, model) = route.split_once(',')?;
        let (provider, model) = (provider.trim(), text(model.trim()));
        let place = draft.providers.iter().position(|known| known.name == provider)?;
        Some((place, model))
    };
    let add = |draft: &mut Draft, name: &str, alias: Option<&str>, route: &str, from: &str| {
        let Some((place, model)) = router.text(route).and_then(|route| find(draft, route)) else { return false };
        let added = draft.model(name, from);
        added.target(place, &model);
        if let Some(alias) = alias {
            added.alias(alias);
        }
        true
    };
    let is_routed = add(draft, "claude-*", None, "default", "Router.default");
    if add(draft, "claude-haiku-*", Some("claude-3-5-haiku-*"), "background", "Router.background") {
        draft.changed("models[claude-haiku-*]", "Router.background serves what Claude Code asks its small model");
    }
    if let Some((place, model)) = router.text("longContext").and_then(|route| find(draft, route)).filter(|_| is_routed)
    {
        let tokens = router.integer("longContextThreshold").filter(|tokens| *tokens > 0).unwrap_or(LONG_CONTEXT_TOKENS);
        let routed = draft.model("claude-*", "");
        if let Some(first) = routed.targets.first_mut() {
            first.set_in("capabilities", "context", tokens);
        }
        routed.target(place, &model).set("tier", 2);
        let note =
            format!("Router.longContext serves calls of more than {tokens} tokens, and those that the other cannot");
        draft.changed("models[claude-*]", note);
    }
    for (route, calls) in BY_CONTENT {
        if router.text(route).is_some() {
            draft.left(
                format!("Router.{route}"),
                format!("llmio does not choose models for {calls}; ask for the model by name"),
            );
        }
    }
}

/// The variable's name where a text is a reference to one.
fn variable(text: &str) -> Result<&str, &str> {
    let Some(rest) = text.strip_prefix('$') else { return Ok(text) };
    let name = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(rest);
    let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_word { Err(name) } else { Ok(text) }
}

fn secret(text: &str) -> String {
    match variable(text) {
        Ok(text) => text.to_owned(),
        Err(name) => reference(name),
    }
}

/// A text in which references may stand anywhere, as in the catalog.
fn text(of: &str) -> String {
    match variable(of) {
        Err(name) => reference(name),
        Ok(of) => of.to_owned(),
    }
}
