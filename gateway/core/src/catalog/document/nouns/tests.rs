use super::*;
use crate::catalog::Sealer;

const CATALOG: &str = r#"
[settings]
zone = "Asia/Shanghai"
[[providers]]
preset = "deepseek"
credentials = ["${DEEPSEEK}", { value = "sk-b", label = "b", pool = "x" }]
[[providers]]
name = "relay"
base_url = "https://relay.example/v1"
headers = { x-org = "o" }
[[models]]
name = "m"
targets = ["deepseek/deepseek-chat", { provider = "relay", model = "c/d", weight = 3 }, "relay/c/d", { provider = "relay" }]
[[models]]
name = "n"
targets = ["relay/n"]
[[relays]]
name = "r"
origin = "https://r.example"
"#;

fn sealer() -> Sealer {
    Sealer::new("a master key of some length").expect("a key")
}

/// The catalog as it is stored: its secrets are sealed.
fn stored() -> Document {
    let document = Document::from_toml(CATALOG).expect("TOML");
    document.accept(None, Some(&sealer()), &mut || [7; 24]).expect("a valid catalog").0
}

fn members(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

/// The stored catalog after an edit, as it would be stored again.
fn accepted<T>(edit: impl FnOnce(&mut Document) -> Result<T, EditError>) -> Result<Document, String> {
    let mut document = stored();
    edit(&mut document).map_err(|error| error.to_string())?;
    let accepted = document.accept(Some(&stored()), Some(&sealer()), &mut || [8; 24]);
    accepted.map(|(document, _)| document).map_err(|problems| problems.to_string())
}

/// What an edit changes, as paths.
fn changed<T>(edit: impl FnOnce(&mut Document) -> Result<T, EditError>) -> Vec<String> {
    let after = accepted(edit).expect("an edit that is accepted");
    stored().redacted().changes(&after.redacted()).into_iter().map(|change| change.path).collect()
}

#[test]
fn an_edit_of_a_noun_changes_this_noun_and_nothing_else() {
    let update = |changes: Value| Edit::Update(members(changes));
    let new = json!({ "name": "new", "base_url": "https://new.example/v1" });
    for (noun, name, edit, paths) in [
        (Noun::Provider, "relay", update(json!({ "enabled": false })), vec!["providers[relay].enabled"]),
        (Noun::Provider, "deepseek", update(json!({ "tags": ["t"] })), vec!["providers[deepseek].tags"]),
        (Noun::Provider, "new", Edit::Create(new), vec!["providers[new]"]),
        (Noun::Model, "m", update(json!({ "strategy": "cost" })), vec!["models[m].strategy"]),
        (Noun::Model, "n", Edit::Delete, vec!["models[n]"]),
        (
            Noun::Model,
            "n",
            Edit::Replace(members(json!({ "targets": ["deepseek/x"], "attempts": 2 }))),
            vec!["models[n].targets", "models[n].attempts"],
        ),
        (Noun::Relay, "r", update(json!({ "public": true })), vec!["relays[r].public"]),
        (Noun::Relay, "r", Edit::Delete, vec!["relays[r]"]),
    ] {
        assert_eq!(changed(|document| document.edit(noun, name, &edit)), paths, "{name} {edit:?}");
    }
}

#[test]
fn an_edit_of_a_part_changes_this_part_and_nothing_else() {
    let update = |changes: Value| Edit::Update(members(changes));
    for (part, owner, name, edit, paths) in [
        (
            Part::Credential,
            "deepseek",
            "b",
            update(json!({ "enabled": false })),
            vec!["providers[deepseek].credentials[b].enabled"],
        ),
        (Part::Credential, "deepseek", "DEEPSEEK", Edit::Delete, vec!["providers[deepseek].credentials[DEEPSEEK]"]),
        (
            Part::Credential,
            "deepseek",
            "",
            Edit::Create(json!({ "value": "sk-c", "label": "c" })),
            vec!["providers[deepseek].credentials[c]"],
        ),
        (Part::Credential, "relay", "", Edit::Create(json!("sk-new")), vec!["providers[relay].credentials"]),
        (Part::Target, "m", "relay/c/d", update(json!({ "weight": 9 })), vec!["models[m].targets[1].weight"]),
        (Part::Target, "n", "", Edit::Create(json!("deepseek/x")), vec!["models[n].targets"]),
        (Part::Target, "m", "relay/m", Edit::Delete, vec!["models[m].targets[3]"]),
    ] {
        assert_eq!(changed(|document| document.edit_part(part, owner, name, &edit)), paths, "{name} {edit:?}");
    }
}

#[test]
fn targets_have_the_name_of_provider_and_model_and_a_second_a_number() {
    let names = stored().parts(Part::Target, "m").expect("targets").into_iter().map(|(name, _)| name);
    assert_eq!(names.collect::<Vec<_>>(), ["deepseek/deepseek-chat", "relay/c/d", "relay/c/d#2", "relay/m"]);
    let off = Edit::Update(members(json!({ "enabled": false })));
    let after = accepted(|document| document.edit_part(Part::Target, "m", "relay/c/d#2", &off)).expect("accepted");
    let expected = json!({ "provider": "relay", "model": "c/d", "enabled": false });
    assert_eq!(after.as_json()["models"][0]["targets"][2], expected);
}

#[test]
fn secrets_stay_until_another_is_given_and_never_go_to_another_host() {
    let sealed = |document: &Document| document.as_json()["providers"][0]["credentials"][1].clone();
    let update = |changes: Value| Edit::Update(members(changes));
    let renamed = accepted(|document| {
        document.edit_part(Part::Credential, "deepseek", "b", &update(json!({ "label": "c", "pool": null })))
    });
    let (before, after) = (sealed(&stored()), sealed(&renamed.expect("accepted")));
    assert_eq!((&after["sealed"], &after["id"]), (&before["sealed"], &before["id"]));
    assert_eq!((&after["label"], after.get("pool")), (&json!("c"), None));

    let id = before["id"].as_str().expect("an id");
    let other = accepted(|document| {
        document.edit_part(Part::Credential, "deepseek", id, &update(json!({ "value": "sk-other" })))
    });
    let after = sealed(&other.expect("accepted"));
    assert_ne!((&after["sealed"], &after["id"]), (&before["sealed"], &before["id"]));
    assert_eq!((&after["label"], &after["pool"], after.get("value")), (&json!("b"), &json!("x"), None));

    let elsewhere = update(json!({ "base_url": "https://evil.example/v1" }));
    let refused = accepted(|document| document.edit(Noun::Provider, "deepseek", &elsewhere)).expect_err("refused");
    assert!(refused.contains("the stored secret is for https://api.deepseek.com"), "{refused}");
    let spied = update(json!({ "egress": { "relay": "https://evil.example/relay/x", "key": "k" } }));
    let spied = accepted(|document| document.edit_part(Part::Credential, "deepseek", "b", &spied));
    assert!(spied.is_err(), "{spied:?}");
}

#[test]
fn an_edit_that_cannot_be_made_says_why() {
    let update = |changes: Value| Edit::Update(members(changes));
    for (noun, name, edit, message) in [
        (Noun::Model, "x", Edit::Delete, "There is no model \"x\". There are: m, n."),
        (
            Noun::Model,
            "m",
            Edit::Create(json!({ "name": "m" })),
            "There is a model \"m\" already. Change it, or take another name.",
        ),
        (Noun::Provider, "deepseek", update(json!({ "name": "d" })), "The name of provider \"deepseek\" stays, since"),
        (
            Noun::Provider,
            "relay",
            Edit::Replace(members(json!({ "name": "x" }))),
            "The name of provider \"relay\" stays",
        ),
        (Noun::Provider, "relay", Edit::Delete, "models[0].targets[1].provider: no provider named \"relay\""),
        (Noun::Model, "n", update(json!({ "targets": [] })), "models[1].targets: is empty;"),
        (Noun::Model, "n", update(json!({ "fallback": ["q"] })), "models[1].fallback[0]"),
        (Noun::Relay, "r", update(json!({ "origin": "ftp://x" })), "relays[0].origin"),
    ] {
        let refused = accepted(|document| document.edit(noun, name, &edit)).expect_err("refused");
        assert!(refused.starts_with(message), "{name}: {refused}");
    }
    let mut bare = Document::from_json(br#"{"models": 7}"#).expect("an object");
    assert_eq!(bare.edit(Noun::Model, "m", &Edit::Create(json!({}))), Err(EditError::NoList("models")));
    let none = Document::empty().edit(Noun::Relay, "r", &Edit::Delete).expect_err("nothing there");
    assert_eq!(none.to_string(), "There is no relay \"r\"; there are none.");
    let part = stored().edit_part(Part::Target, "n", "a/b", &Edit::Delete).expect_err("no such target");
    assert_eq!(part.to_string(), "There is no target \"a/b\". There are: relay/n.");
}

#[test]
fn a_whole_entry_keeps_its_name_and_the_secrets_that_it_names() {
    let shown = stored().redacted();
    let entry = shown.entry(Noun::Provider, "deepseek").expect("the provider").clone();
    assert!(!Value::Object(entry.clone()).to_string().contains("sealed"));
    assert_eq!(accepted(|document| document.edit(Noun::Provider, "deepseek", &Edit::Replace(entry))), Ok(stored()));
    let replaced = Edit::Replace(members(json!({ "preset": "openrouter", "credentials": [] })));
    let after = accepted(|document| document.edit(Noun::Provider, "deepseek", &replaced)).expect("accepted");
    let expected = json!({ "name": "deepseek", "preset": "openrouter", "credentials": [] });
    assert_eq!(after.as_json()["providers"][0], expected);
}

#[test]
fn settings_are_changed_member_by_member() {
    let changes = members(json!({ "retention_days": 7, "zone": null }));
    let after = accepted(|document| document.change_settings(&changes)).expect("accepted");
    assert_eq!(after.as_json()["settings"], json!({ "retention_days": 7 }));
}

#[test]
fn a_parameter_is_left_out_for_every_target_of_a_provider_and_its_model() {
    let mut document = Document::from_toml(
        r#"
        [[models]]
        name = "m"
        targets = ["a/up", { provider = "b", model = "up" }, { provider = "a", model = "other" }]
        [[models]]
        name = "up"
        targets = [{ provider = "a", weight = 3, remove = ["seed", "top_k"] }]
        "#,
    )
    .expect("TOML");
    assert_eq!(document.leave_out("a", "up", "top_k"), Ok(2));
    let models = &document.as_json()["models"];
    let first = json!({ "provider": "a", "model": "up", "remove": ["top_k"] });
    assert_eq!(models[0]["targets"][0], first);
    assert_eq!(models[0]["targets"][1], json!({ "provider": "b", "model": "up" }));
    assert_eq!(models[1]["targets"][0]["remove"], json!(["seed", "top_k"]));
    assert!(document.leave_out("c", "up", "top_k").is_err());
}
