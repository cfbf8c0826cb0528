use super::*;

fn catalog(toml: &str) -> Catalog {
    Document::from_toml(toml).unwrap().validate().unwrap_or_else(|problems| panic!("{problems}"))
}

fn models() -> Catalog {
    catalog(
        r#"
        providers = [{ preset = "echo" }]
        models = [
            { name = "qwen3", aliases = ["coder", "claude-*"], targets = ["echo/a"] },
            { name = "opus", aliases = ["claude-opus-*"], targets = ["echo/b"] },
            { name = "off", aliases = ["off-*", "claude-off*"], enabled = false, targets = ["echo/c"] },
            { name = "odd[1m]", targets = ["echo/d"] },
        ]
        keys = [
            { name = "all", hash = "sha256:2fb7b5a6a4fb4b0fb0f5e9b4dbd7db4b9e2d5b0a2e4ae6c06ac41b6a9b2c9a51" },
            { name = "some", hash = "sha256:0000000000000000000000000000000000000000000000000000000000000001", models = ["coder", "opus-*"] },
        ]
        "#,
    )
}

/// The place of the model that answers to this name.
fn place(catalog: &Catalog, requested: &str) -> Option<usize> {
    let found = catalog.model(requested)?;
    catalog.models.iter().position(|model| Arc::ptr_eq(model, found))
}

#[test]
fn proxies_that_a_host_tells_are_trusted_besides_those_of_the_catalog() {
    let mut catalog = Catalog::built_in();
    assert_eq!(catalog.trust(" 10.0.0.0/8, fd00::1 ,"), Ok(()));
    let trusted: Vec<String> = catalog.settings.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(trusted, ["10.0.0.0/8", "fd00::1/128"]);
    let message = catalog.trust("10.0.0.0/8, proxy").expect_err("a name is no network");
    assert!(message.starts_with("\"proxy\" must be a network"), "{message}");
    assert_eq!(catalog.settings.trusted_proxies.len(), 2, "of a list with a mistake nothing is trusted");
}

#[test]
fn finds_a_model_by_name_then_alias_then_the_longest_pattern() {
    let catalog = models();
    let cases = [
        ("qwen3", Some(0)),
        ("coder", Some(0)),
        ("claude-sonnet", Some(0)),
        ("claude-opus-4", Some(1)),
        ("claude-opus", Some(0)),
        ("unknown", None),
        ("", None),
    ];
    for (requested, index) in cases {
        assert_eq!(place(&catalog, requested), index, "{requested}");
    }
}

#[test]
fn ignores_a_suffix_in_brackets_when_nothing_has_the_full_name() {
    let catalog = models();
    assert_eq!(place(&catalog, "qwen3[1m]"), Some(0));
    assert_eq!(place(&catalog, "odd[1m]"), Some(3));
    assert_eq!(place(&catalog, "odd"), None);
    assert_eq!(place(&catalog, "[1m]"), None);
    assert_eq!(without_suffix("模型[1m]"), "模型");
}

#[test]
fn does_not_find_a_model_that_is_off_nor_pass_its_names_to_another() {
    let catalog = models();
    assert_eq!(place(&catalog, "off"), None);
    assert_eq!(place(&catalog, "off-1"), None);
    assert_eq!(place(&catalog, "claude-off"), None);
}

#[test]
fn suggests_the_nearest_enabled_model() {
    let catalog = models();
    assert_eq!(catalog.nearest_model("qwn3"), Some("qwen3"));
    assert_eq!(catalog.nearest_model("of"), None);
    assert_eq!(catalog.nearest_model("something else"), None);
}

#[test]
fn finds_a_key_by_the_hash_of_its_text() {
    let key = "sk-llmio-0123456789";
    let text = format!("keys = [{{ name = \"k\", hash = \"{}\" }}]", hash_text(&hash_key(key)));
    let catalog = catalog(&text);
    assert_eq!(catalog.key(&hash_key(key)).map(|key| &*key.name), Some("k"));
    assert!(catalog.key(&hash_key("sk-llmio-0123456780")).is_none());
}

#[test]
fn hashes_a_key_with_sha256() {
    // The example of FIPS 180-2.
    assert_eq!(hash_text(&hash_key("abc")), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn lets_a_key_use_what_its_list_names_and_everything_without_a_list() {
    let catalog = models();
    assert!(catalog.keys[0].may_use("anything"));
    let some = &catalog.keys[1];
    assert!(some.may_use("qwen3"), "its alias is in the list");
    assert!(some.may_use("opus-4") && !some.may_use("opus"));
}

#[test]
fn tells_which_addresses_belong_to_a_network() {
    let settings = "[settings]\ntrusted_proxies = [\"10.1.2.3/8\", \"fd00::/8\", \"192.0.2.7\", \"::ffff:172.16.0.0/108\", \"0.0.0.0/0\"]";
    let networks = catalog(settings).settings.trusted_proxies;
    let contains = |index: usize, address: &str| networks[index].contains(address.parse().unwrap());
    assert!(contains(0, "10.255.0.1") && contains(0, "::ffff:10.0.0.1") && !contains(0, "11.0.0.1"));
    assert!(contains(1, "fd12::1") && !contains(1, "fe80::1") && !contains(1, "10.0.0.1"));
    assert!(contains(2, "192.0.2.7") && !contains(2, "192.0.2.6"));
    assert!(contains(3, "172.31.255.255") && !contains(3, "172.32.0.0"));
    assert!(contains(4, "203.0.113.9") && !contains(4, "2001:db8::1"));
}

#[test]
fn has_a_built_in_catalog_with_two_targets_of_weights_three_and_one() {
    let catalog = Catalog::built_in();
    let model = catalog.model("demo").unwrap();
    let weights: Vec<u32> = model.targets.iter().map(|target| target.weight).collect();
    assert_eq!(weights, [3, 1]);
    assert!(matches!(model.targets[0].provider.kind, crate::catalog::ProviderKind::Echo));
}

#[test]
fn a_call_without_a_model_gets_the_default_or_the_only_able_one() {
    let catalog = |settings: &str, models: &str| {
        let text = format!(
            "{settings}\nproviders = [{{ name = \"a\", base_url = \"https://a.example/v1\" }}, {{ name = \"b\", dialect = \"anthropic\", base_url = \"https://b.example\" }}]\nmodels = [{models}]"
        );
        crate::catalog::Document::from_toml(&text).and_then(|document| document.validate())
    };
    let model = |name: &str, provider: &str| format!("{{ name = \"{name}\", targets = [\"{provider}/x\"] }}");
    let two = [model("m", "a"), model("n", "a")].join(", ");
    let mixed = [model("m", "a"), model("n", "b")].join(", ");
    let named = "settings = { default_models = { images = \"n\" } }";
    for (settings, models, moderations, images) in
        [("", &mixed, Some("m"), Some("m")), ("", &two, None, None), (named, &two, None, Some("n"))]
    {
        let catalog = catalog(settings, models).expect("a valid catalog");
        assert_eq!(catalog.default_model(Operation::Moderations), moderations, "{settings} {models}");
        assert_eq!(catalog.default_model(Operation::Images), images, "{settings} {models}");
        assert_eq!(catalog.default_model(Operation::Chat), None);
    }
    let problems = catalog("settings = { default_models = { images = \"z\" } }", &two).expect_err("it is unknown");
    assert_eq!(problems.to_string(), "settings.default_models.images: there is no model \"z\"");
}
