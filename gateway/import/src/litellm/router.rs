//! `router_settings` and `litellm_settings`: how LiteLLM chooses, tries again and falls back.

use serde_json::{Value, json};

use super::super::draft::Draft;
use super::super::row::Row;

/// Their strategies, ours, and what is different.
const STRATEGIES: [(&str, &str, Option<&str>); 7] = [
    ("simple-shuffle", "weighted", None),
    ("latency-based-routing", "latency", None),
    ("cost-based-routing", "cost", None),
    ("usage-based-routing", "quota", Some("what would be lost first comes first")),
    ("usage-based-routing-v2", "quota", Some("what would be lost first comes first")),
    ("rate-limit-aware", "quota", Some("what would be lost first comes first")),
    ("least-busy", "weighted", Some("llmio does not order by calls under way")),
];

/// Settings that are read, or that say what llmio always does.
const READ: [&str; 14] = [
    "routing_strategy",
    "num_retries",
    "timeout",
    "request_timeout",
    "allowed_fails",
    "cooldown_time",
    "fallbacks",
    "default_fallbacks",
    "model_group_alias",
    "drop_params",
    "modify_params",
    "set_verbose",
    "enable_pre_call_checks",
    "disable_cooldowns",
];

pub(super) fn read(draft: &mut Draft, router: Row<'_>, litellm: Row<'_>) {
    let number = |name: &str| router.integer(name).or(litellm.integer(name));
    strategy(draft, router);
    for model in &mut draft.models {
        if let Some(retries) = number("num_retries") {
            model.set("attempts", retries.saturating_add(1).clamp(1, 10));
        }
        if let Some(fails) = number("allowed_fails").filter(|fails| (0..1000).contains(fails)) {
            // LiteLLM counts the failures that are tolerated, llmio the one that is too many.
            model.set("allowed_fails", fails + 1);
        }
        if let Some(seconds) = number("cooldown_time").filter(|seconds| (1..=86_400).contains(seconds)) {
            model.set("cooldown", format!("{seconds}s"));
        }
        let timeout = router.integer("timeout").or(litellm.integer("request_timeout"));
        if let Some(seconds) = timeout.filter(|seconds| (1..=86_400).contains(seconds)) {
            model.set("timeouts", json!({ "first_byte": format!("{seconds}s") }));
        }
    }
    for (alias, model) in router.object("model_group_alias") {
        let model = model.as_str().or_else(|| model.get("model")?.as_str()).map(str::to_owned);
        match draft.models.iter_mut().find(|known| Some(&known.name) == model.as_ref()) {
            Some(model) => model.alias(&alias),
            None => draft.left(format!("model_group_alias.{alias}"), "no model has the name that it stands for"),
        }
    }
    fallbacks(draft, router, litellm);
    others(draft, "router_settings", router);
    others(draft, "litellm_settings", litellm);
}

fn strategy(draft: &mut Draft, router: Row<'_>) {
    let Some(named) = router.text("routing_strategy") else { return };
    match STRATEGIES.iter().find(|(known, _, _)| *known == named) {
        Some((_, ours, difference)) => {
            draft.models.iter_mut().for_each(|model| model.set("strategy", *ours));
            if let Some(difference) = difference {
                draft.changed("router_settings.routing_strategy", format!("{named} became {ours}: {difference}"));
            }
        }
        None => draft.left("router_settings.routing_strategy", format!("nothing here is like {named}")),
    }
}

fn fallbacks(draft: &mut Draft, router: Row<'_>, litellm: Row<'_>) {
    let list = router.json("fallbacks").or(litellm.json("fallbacks"));
    let tables = list.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    let pairs: Vec<(String, Vec<String>)> =
        tables.flatten().map(|(model, others)| (model.clone(), names(others))).collect();
    for (model, others) in pairs {
        if model == "*" {
            draft.settings.push(("fallback", others.into(), "fallbacks of `*`".to_owned()));
        } else if let Some(known) = draft.models.iter_mut().find(|known| known.name == model) {
            known.set("fallback", others);
        } else {
            draft.left(format!("fallbacks of {model}"), "no model has this name");
        }
    }
    let defaults = router.texts("default_fallbacks", &[',']).into_iter();
    let defaults: Vec<String> = defaults.chain(litellm.texts("default_fallbacks", &[','])).collect();
    if !defaults.is_empty() {
        draft.settings.push(("fallback", defaults.into(), "default_fallbacks".to_owned()));
    }
    for name in ["context_window_fallbacks", "content_policy_fallbacks"] {
        if router.0.contains_key(name) || litellm.0.contains_key(name) {
            draft.left(
                name,
                "here `context` of a target's capabilities keeps calls away that are too long for it, and \
                              refusals of content are the client's to see",
            );
        }
    }
}

fn names(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn others(draft: &mut Draft, section: &str, settings: Row<'_>) {
    let is_read =
        |name: &str| READ.contains(&name) || matches!(name, "context_window_fallbacks" | "content_policy_fallbacks");
    let others: Vec<&str> = settings.0.keys().map(String::as_str).filter(|name| !is_read(name)).collect();
    if !others.is_empty() {
        draft.left(section, format!("how LiteLLM itself runs: {}", others.join(", ")));
    }
}
