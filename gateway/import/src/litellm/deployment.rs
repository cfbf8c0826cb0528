//! `model_list`: one deployment each, with the provider in front of the model's name.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::address;
use super::super::draft::{Draft, Provider, Target};
use super::super::row::Row;
use super::{Texts, limit};
use gateway_core::profile::{Family, ModelName};
use gateway_core::providers;

/// How a provider is reached that stands before a model's name.
enum Reach {
    /// At the address of this preset.
    Preset(&'static str),
    /// At this address, in OpenAI's dialect.
    At(&'static str),
    /// Only at an address of its own, in OpenAI's dialect.
    Own,
}

/// The providers of LiteLLM that llmio can reach, by the prefix of their models: <https://docs.litellm.ai/docs/providers>.
const PREFIXES: &[(&str, Reach)] = &[
    ("anthropic", Reach::Preset("anthropic")),
    ("cerebras", Reach::Preset("cerebras")),
    ("custom_openai", Reach::Own),
    ("dashscope", Reach::Preset("dashscope-intl")),
    ("deepinfra", Reach::At("https://api.deepinfra.com/v1/openai")),
    ("deepseek", Reach::Preset("deepseek")),
    ("fireworks_ai", Reach::At("https://api.fireworks.ai/inference/v1")),
    ("gemini", Reach::Preset("gemini")),
    ("groq", Reach::Preset("groq")),
    ("hosted_vllm", Reach::Own),
    ("huggingface", Reach::Preset("huggingface")),
    ("hyperbolic", Reach::At("https://api.hyperbolic.xyz/v1")),
    ("litellm_proxy", Reach::Own),
    ("llamafile", Reach::Own),
    ("lm_studio", Reach::Preset("lmstudio")),
    ("minimax", Reach::Preset("minimax")),
    ("mistral", Reach::Preset("mistral")),
    ("moonshot", Reach::Preset("moonshot-intl")),
    ("nebius", Reach::At("https://api.studio.nebius.ai/v1")),
    ("novita", Reach::At("https://api.novita.ai/v3/openai")),
    ("nvidia_nim", Reach::Preset("nvidia")),
    ("ollama", Reach::Preset("ollama")),
    ("ollama_chat", Reach::Preset("ollama")),
    ("openai", Reach::Preset("openai")),
    ("openai_like", Reach::Own),
    ("openrouter", Reach::Preset("openrouter")),
    ("perplexity", Reach::At("https://api.perplexity.ai")),
    ("sambanova", Reach::At("https://api.sambanova.ai/v1")),
    ("text-completion-openai", Reach::Preset("openai")),
    ("together_ai", Reach::Preset("together")),
    ("volcengine", Reach::Preset("volcengine")),
    ("xai", Reach::Preset("xai")),
    ("zai", Reach::Preset("zai")),
];

/// Parameters of requests, which those of a client replace.
const DEFAULTS: [&str; 12] = [
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "reasoning_effort",
    "thinking",
    "verbosity",
];

/// What is read elsewhere, or has no meaning here.
const READ: [&str; 24] = [
    "model",
    "api_key",
    "api_base",
    "base_url",
    "api_version",
    "organization",
    "extra_headers",
    "extra_body",
    "rpm",
    "tpm",
    "max_parallel_requests",
    "timeout",
    "stream_timeout",
    "weight",
    "order",
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
    "litellm_credential_name",
    "additional_drop_params",
    "drop_params",
    "custom_llm_provider",
    "max_retries",
];

/// One entry of the list.
pub(super) struct Deployment {
    from: String,
    public: String,
    /// The provider's name for the model.
    upstream: String,
    provider: Provider,
    /// What the provider is known by: its address and what goes with each request.
    identity: String,
    key: Option<String>,
    target: Map<String, Value>,
    quota: Map<String, Value>,
    order: i64,
    notes: Vec<String>,
}

impl Deployment {
    /// The error is why it is left.
    pub(super) fn of(entry: &Map<String, Value>, from: &str, texts: &Texts<'_>) -> Result<Deployment, String> {
        let entry = Row(entry);
        let public = texts.of(entry.text("model_name").ok_or("it has no model_name")?);
        let own = entry.object("litellm_params");
        let named = Row(&own).text("litellm_credential_name").and_then(|name| texts.credentials.get(name));
        let mut parameters = named.and_then(Value::as_object).cloned().unwrap_or_default();
        parameters.extend(own);
        let row = Row(&parameters);
        let model = texts.of(row.text("model").ok_or("its litellm_params have no model")?);
        let base = row.text("api_base").or(row.text("base_url")).map(|url| texts.of(url));
        let (prefix, upstream) = split(&model, row.text("custom_llm_provider"), base.is_some())?;
        let (mut provider, upstream) = reached(prefix, upstream, base.as_deref(), row, texts, from)?;
        if let Some(organization) = row.text("organization") {
            provider.header("openai-organization", &texts.secret(organization));
        }
        for (name, value) in row.object("extra_headers") {
            if let Some(value) = value.as_str() {
                provider.header(&name, &texts.secret(value));
            }
        }
        let identity = Value::Object(provider.fields.clone()).to_string();
        let key = row.text("api_key").map(|key| texts.secret(key));
        let info = entry.object("model_info");
        let mut deployment = Deployment {
            from: from.to_owned(),
            public,
            upstream,
            provider,
            identity,
            key,
            target: Map::new(),
            quota: ["rpm", "tpm"].iter().filter_map(|name| limit(row, name)).collect(),
            order: row.integer("order").unwrap_or(1),
            notes: Vec::new(),
        };
        deployment.read_target(row, Row(&info));
        Ok(deployment)
    }

    fn read_target(&mut self, row: Row<'_>, info: Row<'_>) {
        let mut target = Target { provider: 0, fields: Map::new() };
        if let Some(weight) = row.integer("weight").filter(|weight| (0..=1_000_000).contains(weight)) {
            target.set("weight", weight);
        }
        let timeout = row.number("stream_timeout").or(row.number("timeout"));
        if let Some(wait) = timeout.and_then(milliseconds) {
            target.set_in("timeouts", "first_byte", wait);
        }
        for name in DEFAULTS {
            if let Some(value) = row.0.get(name).filter(|value| !value.is_null()) {
                target.set_in("default", name, value.clone());
            }
        }
        for (name, value) in row.object("extra_body") {
            target.set_in("set", &name, value);
        }
        let dropped = row.texts("additional_drop_params", &[',']);
        if !dropped.is_empty() {
            target.set("remove", dropped);
        }
        for (name, member) in [
            ("supports_function_calling", "tools"),
            ("supports_vision", "images"),
            ("supports_response_schema", "structured"),
        ] {
            if info.flag(name) == Some(false) {
                target.set_in("capabilities", member, false);
            }
        }
        if let Some(context) = info.integer("max_input_tokens").filter(|tokens| *tokens > 0) {
            target.set_in("capabilities", "context", context);
        }
        if let Some(price) = price(row).or_else(|| price(info)) {
            target.set("price", price);
        }
        if let Some(base) = info.text("base_model") {
            let base = base.rsplit('/').next().unwrap_or(base);
            if ModelName::read(&base.to_ascii_lowercase()).family != Family::Other {
                target.set("profile", base);
            }
        }
        let is_read = |name: &str| READ.contains(&name) || DEFAULTS.contains(&name);
        let others: Vec<&str> = row.0.keys().map(String::as_str).filter(|name| !is_read(name)).collect();
        if !others.is_empty() {
            self.notes.push(format!("{} of its litellm_params have no meaning here", others.join(", ")));
        }
        self.target = target.fields;
    }

    /// What it is apart from its credential: deployments that differ only in that are a pool.
    fn role(&self) -> (String, String, String) {
        let target = Value::Object(self.target.clone()).to_string();
        (self.public.clone(), self.upstream.clone(), format!("{target} {}", self.order))
    }
}

/// Adds all deployments: the providers first, each with the credentials that do the same, then the models.
pub(super) fn add(draft: &mut Draft, deployments: &[Deployment]) {
    let roles = |identity: &str, key: &Option<String>| -> BTreeSet<_> {
        let same = deployments.iter().filter(|each| each.identity == identity && each.key == *key);
        same.map(Deployment::role).collect()
    };
    let mut places: Vec<(&str, BTreeSet<_>, usize)> = Vec::new();
    let mut done: BTreeSet<(usize, (String, String, String))> = BTreeSet::new();
    for deployment in deployments {
        let own = roles(&deployment.identity, &deployment.key);
        let known = places.iter().find(|(identity, roles, _)| *identity == deployment.identity && *roles == own);
        let place = match known {
            Some((_, _, place)) => *place,
            None => {
                let Provider { name, from, fields, .. } = &deployment.provider;
                let (name, from, fields) = (name.clone(), from.clone(), fields.clone());
                let place = draft.provider(Provider { name, from, fields, credentials: Vec::new() });
                places.push((&deployment.identity, own, place));
                place
            }
        };
        let provider = &mut draft.providers[place];
        if let Some(key) = &deployment.key {
            provider.credential(key.as_str().into());
        }
        limit_provider(provider, deployment);
        for note in &deployment.notes {
            draft.left(format!("{} ({})", deployment.from, deployment.public), note.clone());
        }
        if done.insert((place, deployment.role())) {
            let target = draft.model(&deployment.public, &deployment.from).target(place, &deployment.upstream);
            target.fields.extend(deployment.target.clone());
        }
    }
    rank(draft, deployments);
}

/// Limits belong to one deployment: one credential with one model.
fn limit_provider(provider: &mut Provider, deployment: &Deployment) {
    if deployment.quota.is_empty() {
        return;
    }
    let mut quota = deployment.quota.clone();
    if !deployment.upstream.contains('*') {
        quota.insert("models".to_owned(), json!([deployment.upstream]));
    }
    let quotas = provider.fields.entry("quotas").or_insert_with(|| json!([]));
    if let Value::Array(quotas) = quotas {
        let is_limited = quotas.iter().any(|known| known.get("models") == quota.get("models"));
        if !is_limited {
            quotas.push(quota.into());
        }
    }
}

/// `order`: those with the lowest come first.
fn rank(draft: &mut Draft, deployments: &[Deployment]) {
    for model in &mut draft.models {
        let order = |upstream: &Value| {
            let same = deployments.iter().find(|each| each.public == model.name && *upstream == each.upstream);
            -same.map_or(1, |each| each.order)
        };
        let ranks: Vec<i64> = model.targets.iter().map(|target| target.fields.get("model").map_or(-1, order)).collect();
        model.rank(&ranks);
    }
}

/// The provider before the name, or the one that a name without one means.
fn split<'m>(model: &'m str, custom: Option<&'m str>, has_address: bool) -> Result<(&'m str, &'m str), String> {
    if let Some(prefix) = custom {
        return Ok((prefix, model.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')).unwrap_or(model)));
    }
    match model.split_once('/') {
        Some((prefix, rest)) => Ok((prefix, rest)),
        None if model == "*" => Err("`*` stands for the models of all providers; name them".to_owned()),
        None if !has_address && model.starts_with("claude") => Ok(("anthropic", model)),
        None => Ok(("openai", model)),
    }
}

/// The provider that is meant, and its own name for the model.
fn reached(
    prefix: &str,
    model: &str,
    base: Option<&str>,
    row: Row<'_>,
    texts: &Texts<'_>,
    from: &str,
) -> Result<(Provider, String), String> {
    if matches!(prefix, "azure" | "azure_ai") {
        return azure(model, base, row.text("api_version").map(|version| texts.of(version)), from);
    }
    let Some((_, reach)) = PREFIXES.iter().find(|(known, _)| *known == prefix) else {
        return Err(format!("llmio has no way to call what LiteLLM calls {prefix:?}"));
    };
    let model = model.strip_prefix("responses/").unwrap_or(model).to_owned();
    let provider = match (reach, base) {
        (Reach::Preset(preset), None) => Provider::preset(prefix, from, preset),
        (Reach::At(url), None) => Provider::at(prefix, from, "openai-chat", url),
        (Reach::Own, None) => return Err("it has no api_base".to_owned()),
        (_, Some(base)) => own_address(prefix, base, from),
    };
    Ok((provider, model))
}

/// An address of its own; one that a preset has is the preset.
fn own_address(prefix: &str, base: &str, from: &str) -> Provider {
    let (dialect, path) = match prefix {
        "anthropic" => ("anthropic", ""),
        "gemini" => ("gemini", ""),
        "ollama" | "ollama_chat" => ("openai-chat", "/v1"),
        _ => ("openai-chat", ""),
    };
    let url = address::with_path(base, path);
    let is_of = |known: &&providers::KnownProvider| {
        known.endpoints.iter().any(|(spoken, address)| spoken.name() == dialect && *address == url)
    };
    match providers::presets().find(|known| is_of(known)) {
        Some(known) => Provider::preset(prefix, from, known.name),
        None => Provider::at(prefix, from, dialect, &url),
    }
}

/// Azure has a deployment in the path of its address, and the version in the query.
fn azure(model: &str, base: Option<&str>, version: Option<String>, from: &str) -> Result<(Provider, String), String> {
    let base = address::bare(base.ok_or("it has no api_base")?);
    let url = match version {
        Some(version) if !base.contains("/openai/") => {
            format!("{base}/openai/deployments/{model}?api-version={version}")
        }
        Some(version) if base.contains("/deployments/") => format!("{base}?api-version={version}"),
        _ => base,
    };
    let mut provider = Provider::at("azure", from, "openai-chat", &url);
    provider.fields.insert("auth".to_owned(), "api-key".into());
    Ok((provider, model.to_owned()))
}

/// Prices are for one token there.
fn price(row: Row<'_>) -> Option<Value> {
    let million = |name: &str| row.number(name).filter(|cost| *cost >= 0.0).map(|cost| rounded(cost * 1e6));
    let (input, output) = (million("input_cost_per_token")?, million("output_cost_per_token")?);
    let mut price = json!({ "input": input, "output": output });
    if let Value::Object(price) = &mut price {
        let parts = [("cache_read", "cache_read_input_token_cost"), ("cache_write", "cache_creation_input_token_cost")];
        price.extend(parts.into_iter().filter_map(|(name, of)| Some((name.to_owned(), json!(million(of)?)))));
    }
    Some(price)
}

/// Without the digits that a multiplication of floats adds.
fn rounded(number: f64) -> f64 {
    (number * 1e9).round() / 1e9
}

fn milliseconds(seconds: f64) -> Option<String> {
    let wait = std::time::Duration::try_from_secs_f64(seconds).ok()?.as_millis();
    (1..=86_400_000).contains(&wait).then(|| format!("{wait}ms"))
}
