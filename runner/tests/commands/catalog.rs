//! `llmio catalog`.

use super::*;

#[test]
fn a_catalog_goes_in_and_comes_out_the_same_with_and_without_a_server() {
    let place = Place::new().with("RELAY_KEY", "sk-env");
    let file = place.file("llmio.toml", CATALOG);
    assert_eq!(place.ok(&["catalog", "check", &file]), format!("{file} is valid.\n"));
    assert_eq!(place.ok(&["catalog", "import", &file]), "Catalog version 1 is in force.\n");
    let exported = place.ok(&["catalog", "export"]);
    assert!(exported.contains("label = \"first\"") && !exported.contains("canary"), "{exported}");
    assert!(place.ok(&["catalog", "export", "--with-secrets"]).contains("sk-canary-1234567890"));

    let server = place.serve();
    assert_eq!(place.ok(&["catalog", "export"]), exported);
    let json: Value = serde_json::from_str(&place.ok(&["catalog", "export", "--json"])).expect("JSON");
    assert_eq!(json["settings"]["retention_days"], 7);
    let again = place.file("again.toml", &exported);
    assert_eq!(place.ok(&["catalog", "diff", &again]), "");
    let json = place.file("again.json", &json.to_string());
    assert_eq!(place.ok(&["catalog", "diff", &json]), "");
    assert_eq!(place.ok(&["catalog", "import", &again]), "Catalog version 2 is in force.\n");
    assert!(place.ok(&["catalog", "export", "--with-secrets"]).contains("sk-canary-1234567890"), "the secret is kept");
    server.stop();
}

#[test]
fn a_diff_tells_what_an_import_would_change_and_no_secret() {
    let place = Place::new().with("RELAY_KEY", "sk-env");
    place.ok(&["catalog", "import", &place.file("llmio.toml", CATALOG)]);
    let changed = CATALOG.replace("weight = 1", "weight = 3").replace("name = \"laptop\"", "name = \"desk\"");
    let done = place.run_with_input(&["catalog", "diff", "-"], &changed);
    let expected = "providers[relay-x].credentials[first].value: a secret is given (secrets are not compared)\n\
                    models[qwen3].targets[0].weight: 1 → 3\n\
                    keys[laptop]: removed\n\
                    keys[desk]: added\n";
    assert_eq!((done.code, done.out.as_str()), (0, expected), "{}", done.err);
}

#[test]
fn an_import_keeps_what_the_file_lacks_unless_asked_to_replace_it() {
    let place = Place::new().with("OPENROUTER_API_KEY", "sk-env");
    let four_lines = "models = [{ name = \"qwen3-coder\", targets = [\"openrouter/qwen/qwen3-coder:free\"] }]\n\
                      [[providers]]\npreset = \"openrouter\"\ncredentials = [\"${OPENROUTER_API_KEY}\"]\n";
    let file = place.file("llmio.toml", four_lines);
    let import = |more: &[&str]| place.run(&[&["catalog", "import", &file], more].concat());
    let listed = || place.ok(&["keys", "list"]);
    assert_eq!(import(&[]).err, "made a new data folder, data\n", "nothing was there to be kept");
    place.ok(&["keys", "create", "laptop"]);
    assert_eq!(place.ok(&["catalog", "diff", &file]), "");
    let done = import(&[]);
    assert_eq!((done.code, done.out.as_str()), (0, "Catalog version 3 is in force.\n"), "{}", done.err);
    assert!(done.err.contains("keys") && done.err.contains("--replace"), "{}", done.err);
    assert!(listed().contains("laptop"), "a section the file lacks stays");

    let server = place.serve();
    assert_eq!(place.ok(&["catalog", "diff", &file, "--replace"]), "keys: removed\n");
    place.ok(&["catalog", "check", &file, "--replace"]);
    assert_eq!(import(&[]).code, 0);
    assert!(listed().contains("laptop"));
    let done = import(&["--replace"]);
    assert!(done.code == 0 && done.err.is_empty(), "{}", done.err);
    assert_eq!(listed(), "", "a replaced catalog has no keys");
    server.stop();
}

#[test]
fn a_catalog_is_accepted_beside_a_key_that_was_made_first() {
    let place = Place::new();
    let key = place.ok(&["keys", "create", "laptop"]);
    let providers = place.file("s1.toml", "[[providers]]\nname = \"a\"\nbase_url = \"https://a.example/v1\"\n");
    let checked = || assert_eq!(place.ok(&["catalog", "check", &providers]), format!("{providers} is valid.\n"));
    checked();
    let expected = "providers[echo]: removed\nproviders[a]: added\nmodels: removed\n";
    assert_eq!(place.ok(&["catalog", "diff", &providers]), expected, "the built-in catalog gives way");
    let server = place.serve();
    assert_eq!(server.chat(key.trim()).0, 200, "until then it is served");
    checked();
    server.stop();
    words_of_a_start(&place, &["--catalog", &providers]);

    // Earlier versions stored the built-in catalog with the first key; an export and import of it does so too.
    let exported = place.file("exported.toml", &place.ok(&["catalog", "export"]));
    place.ok(&["catalog", "import", &exported]);
    checked();
    words_of_a_start(&place, &["--catalog", &providers]);
}

#[test]
fn a_problem_in_what_is_stored_says_so_and_which_command_changes_it() {
    let place = Place::new();
    place.ok(&["keys", "create", "laptop", "--models", "demo"]);
    let file = place.file("llmio.toml", "providers = [{ preset = \"echo\" }]\nmodels = []\n");
    for arguments in [
        ["serve", "--listen", "127.0.0.1:0", "--catalog", &file].as_slice(),
        &["catalog", "check", &file],
        &["catalog", "import", &file],
    ] {
        let message = place.fails(arguments, 78);
        assert!(message.contains("in the stored `keys`") && message.contains("`llmio keys revoke NAME`"), "{message}");
    }
    place.ok(&["keys", "revoke", "laptop"]);
    place.ok(&["catalog", "import", &file]);
}

#[test]
fn a_catalog_that_does_not_validate_is_refused_line_by_line_with_78() {
    let place = Place::new();
    let text = CATALOG.replace("provider = \"relay-x\"", "provider = \"relay-y\"").replace("weight = 1", "wait = 1");
    let file = place.file("llmio.toml", &text);
    for command in ["check", "import", "diff"] {
        let message = place.fails(&["catalog", command, &file], 78);
        let lines: Vec<&str> = message.lines().filter(|line| line.starts_with("models[0].targets[0].")).collect();
        assert_eq!(lines.len(), 2, "{message}");
        assert!(message.contains("did you mean \"relay-x\"?") && !message.contains("canary"), "{message}");
    }
    assert!(place.ok(&["catalog", "export"]).contains("demo"), "nothing was changed");
    let message = place.fails(&["catalog", "check", "missing.toml"], 1);
    assert!(message.contains("missing.toml"), "{message}");
}

#[test]
fn a_catalog_is_accepted_by_the_check_exactly_where_it_is_served() {
    for (text, is_catalog) in [
        ("", false),
        (" \n\t\n", false),
        ("# nothing yet\n", true),
        ("[settings]\nzone = \"UTC\"\n", true),
        (r#" {"providers": []}"#, true),
        (r#"{"providers": [}"#, false),
        ("[[keys]]\nname = \"k\"\nhash = \"sha256:00\"\n", false),
    ] {
        let place = Place::new();
        let file = place.file("llmio.toml", text);
        for command in ["check", "import", "diff"] {
            let done = place.run(&["catalog", command, &file]);
            assert_eq!(done.code, if is_catalog { 0 } else { 78 }, "{command} {text:?}: {}", done.err);
        }
        // As it is served: a command without a server publishes the file like a start does.
        let done = place.run(&["--catalog", &file, "keys", "list"]);
        assert_eq!(done.code, if is_catalog { 0 } else { 78 }, "{text:?}: {}", done.err);
    }
}

#[test]
fn what_is_no_secret_but_looks_like_a_mistake_is_warned_of() {
    let place = Place::new().with("QUOTED", "'sk-canary-quoted'");
    let text = "[[providers]]\nname = \"a\"\nbase_url = \"https://a.example\"\n\
                credentials = [\"$KEY_A\", \"os.environ/KEY_B\", \"${QUOTED}\", \"sk-canary-good\"]\n";
    let file = place.file("llmio.toml", text);
    for command in ["check", "import"] {
        let done = place.run(&["catalog", command, &file]);
        let warnings: Vec<&str> = done.err.lines().filter(|line| line.starts_with("warning: ")).collect();
        assert!(done.code == 0 && warnings.len() == 3, "{}", done.err);
        assert!(warnings[0].contains("credential #1") && warnings[0].contains("`${NAME}`"), "{}", done.err);
        assert!(warnings[1].contains("credential #2") && warnings[2].contains("credential QUOTED"), "{}", done.err);
        assert!(!done.err.contains("canary") && !done.err.contains("KEY_A"), "{}", done.err);
    }
}

#[test]
fn somebody_elses_whole_configuration_is_a_valid_catalog() {
    let place = Place::new();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/docs/samples/free-models.toml");
    let done = place.run(&["catalog", "check", sample]);
    assert_eq!((done.code, done.out), (0, format!("{sample} is valid.\n")), "{}", done.err);
    let missing = done.err.lines().filter(|line| line.contains(" is not set")).count();
    assert_eq!(missing, 15, "a key of each provider is missing, and nothing else is said: {}", done.err);
    assert_eq!(done.err.lines().count(), 15, "{}", done.err);
}

#[test]
fn checking_a_catalog_makes_no_data_folder() {
    let place = Place::new().with("RELAY_KEY", "sk-env");
    let file = place.file("llmio.toml", CATALOG);
    let done = place.run(&["catalog", "check", &file]);
    assert_eq!((done.code, done.out), (0, format!("{file} is valid.\n")), "{}", done.err);
    assert!(done.err.is_empty() && !place.data().exists(), "{}", done.err);
}

#[test]
fn warnings_of_an_accepted_catalog_are_told_on_stderr() {
    let place = Place::new();
    let file = place.file("llmio.toml", CATALOG);
    for command in ["check", "import"] {
        let done = place.run(&["catalog", command, &file]);
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(done.err.contains("warning: provider relay-x, credential RELAY_KEY: "), "{}", done.err);
    }
}
