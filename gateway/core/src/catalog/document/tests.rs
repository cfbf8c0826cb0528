mod egress;

use serde_json::json;

use crate::catalog::{Document, SealError, Sealer, Value};

const SAMPLE: &str = include_str!("../validate/sample.toml");
const MASTER: &str = "a master key of some length";

const SECRETS: &str = r#"
[[providers]]
name = "a"
base_url = "https://a.example/v1"
credentials = ["sk-one", { value = "sk-two", label = "second", enabled = false }, "${THREE}", { variable = "FOUR" }]
headers = { x-plain = "shown", X-Secret = { value = "hidden" }, x-ref = { variable = "FIVE" } }
"#;

fn document(toml: &str) -> Document {
    Document::from_toml(toml).unwrap()
}

fn sealer() -> Sealer {
    Sealer::new(MASTER).unwrap()
}

/// Nonces that differ, as a host's random ones do.
fn nonces() -> impl FnMut() -> [u8; 24] {
    let mut next = 0;
    move || {
        next += 1;
        [next; 24]
    }
}

fn sealed(toml: &str) -> Document {
    let mut document = document(toml);
    document.seal(None, Some(&sealer()), &mut nonces()).unwrap();
    document
}

/// What `PUT` does with a document when this one is stored.
fn put(shown: &Document, stored: &Document) -> Result<Document, Vec<String>> {
    shown
        .clone()
        .accept(Some(stored), Some(&sealer()), &mut nonces())
        .map(|(document, _)| document)
        .map_err(|problems| problems.0.iter().map(ToString::to_string).collect())
}

/// The credentials and headers of the first provider as they are sent.
fn sent(document: &Document, sealer: Option<&Sealer>) -> Vec<String> {
    let mut catalog = document.validate().unwrap();
    catalog.resolve(sealer, &|name| Some(format!("from-{name}\n")));
    let provider = &catalog.providers[0];
    let values = provider.credentials.iter().map(|credential| &credential.value);
    values
        .chain(provider.headers.iter().map(|(_, value)| value))
        .map(|value| match value {
            Value::Missing(reason) => reason.clone(),
            known => known.known().unwrap().expose().to_owned(),
        })
        .collect()
}

const ALL_SENT: [&str; 7] = ["sk-one", "sk-two", "from-THREE", "from-FOUR", "shown", "hidden", "from-FIVE"];

#[test]
fn keeps_everything_and_its_order_from_toml_to_json_to_toml() {
    let from_toml = document(SAMPLE);
    let from_json = Document::from_json(from_toml.to_json_string().as_bytes()).unwrap();
    assert!(from_toml == from_json);
    let again = document(&from_json.to_toml().unwrap());
    assert!(from_toml == again);
    let names: Vec<&String> = from_toml.as_json()["providers"][1].as_object().unwrap().keys().collect();
    assert_eq!(names[..5], ["name", "dialect", "base_url", "auth", "credentials"]);
    let again: Vec<&String> = from_json.as_json()["providers"][1].as_object().unwrap().keys().collect();
    assert_eq!(names, again);
}

#[test]
fn writes_a_toml_time_as_rfc_3339() {
    let document = document("keys = [{ expires = 2027-01-01T00:00:00+08:00 }]");
    assert_eq!(document.as_json()["keys"][0]["expires"], "2027-01-01T00:00:00+08:00");
}

#[test]
fn reads_toml_numbers_of_every_notation() {
    let document = document("a = [1_000, -7, 0xff, 0o17, 0b11, 1.5, 1e3]");
    assert_eq!(document.as_json()["a"], json!([1000, -7, 255, 15, 3, 1.5, 1000.0]));
    let problems = Document::from_toml("a = { b = [inf] }\nc = nan").unwrap_err();
    assert_eq!(problems.to_string(), "a.b[0]: must be a finite number\nc: must be a finite number");
}

#[test]
fn a_number_is_the_same_in_every_notation_of_json_and_toml() {
    let json = Document::from_json(br#"{"a": [1e3, 1.50, -0.5, 7, 18446744073709551615, 1e400]}"#).unwrap();
    assert_eq!(json.as_json()["a"].to_string(), "[1000.0,1.5,-0.5,7,18446744073709551615,1e+400]");
    let toml = document("a = [1e3, 1.50, -0.5, 7]");
    assert_eq!(json.as_json()["a"].as_array().map(|all| &all[..4]), toml.as_json()["a"].as_array().map(Vec::as_slice));
    assert_eq!(toml.to_toml().map(|text| document(&text) == toml), Ok(true));
}

#[test]
fn tells_line_and_column_of_a_syntax_error_but_not_the_line() {
    let problems = Document::from_toml("[[providers]]\ncredentials = [\"sk-SECRET]\n").unwrap_err();
    let [problem] = problems.0.as_slice() else { panic!("{problems}") };
    assert!(problem.message.starts_with("not valid TOML at line 2 column "), "{problem}");
    assert!(!problem.message.contains("SECRET"), "{problem}");
    let problems = Document::from_json(b"{\"a\": \"sk-SECRET\" \"b\"}").unwrap_err();
    assert!(problems.to_string().contains("line 1 column"), "{problems}");
    assert!(!problems.to_string().contains("SECRET"), "{problems}");
}

#[test]
fn refuses_a_name_given_twice_and_json_that_is_no_object() {
    let problems = Document::from_json(br#"{"keys": [], "keys": []}"#).unwrap_err();
    assert!(problems.to_string().contains("the name keys is in one object twice"), "{problems}");
    assert!(Document::from_toml("a = 1\na = 2").is_err());
    for text in ["[]", "1", "", "{} {}", "\"x\"", "\u{feff}{}"] {
        assert!(Document::from_json(text.as_bytes()).is_err(), "{text}");
    }
    assert!(Document::from_json(b"{\"a\": \"\xff\"}").is_err());
    assert!(Document::from_json("[".repeat(100_000).as_bytes()).is_err());
    assert!(Document::from_toml(&format!("a = {}", "[".repeat(100_000))).is_err());
}

#[test]
fn says_what_toml_cannot_express() {
    let document = Document::from_json(br#"{"a": null, "b": [1, null], "c": 18446744073709551615}"#).unwrap();
    let problems = document.to_toml().unwrap_err().to_string();
    assert_eq!(
        problems,
        "b[1]: is null, which TOML cannot express\nc: is a whole number beyond TOML's 64 bits with sign"
    );
}

#[test]
fn lays_a_file_over_the_stored_document_section_by_section() {
    let file = document("models = []\n[settings]\nretention_days = 7");
    let stored = document("[settings]\nmax_db_mib = 1\n[[keys]]\nname = \"k\"");
    let both = file.overlay(&stored);
    assert_eq!(both.as_json()["settings"], json!({ "retention_days": 7 }));
    assert_eq!(both.as_json()["keys"], json!([{ "name": "k" }]));
    assert_eq!(both.as_json()["models"], json!([]));
    assert!(Document::empty().overlay(&stored) == stored);
}

#[test]
fn the_built_in_catalog_stands_in_until_one_says_what_to_serve() {
    let keys = document("[[keys]]\nname = \"k\"\n[settings]\nretention_days = 7");
    let served = keys.clone().or_built_in();
    assert_eq!(served.as_json()["models"], Document::built_in().as_json()["models"]);
    assert_eq!(served.as_json()["keys"], json!([{ "name": "k" }]));
    assert!(Document::empty().or_built_in() == Document::built_in());
    for serving in ["providers = []", "models = []", "relays = []"] {
        assert!(document(serving).or_built_in() == document(serving), "{serving}");
    }
}

#[test]
fn a_stored_built_in_catalog_gives_way_whole_to_what_says_what_to_serve() {
    let mut stored = Document::built_in();
    stored.insert_key(json!({ "name": "k" }));
    let keys = document("[[keys]]\nname = \"k\"");
    for serving in ["providers = []", "models = []", "relays = []"] {
        assert!(document(serving).overlay(&stored) == document(serving).overlay(&keys), "{serving}");
    }
    assert!(document("[settings]").overlay(&stored) == document("[settings]").overlay(&keys).or_built_in());
    let edited = stored.to_json_string().replace("echo-a", "echo-c");
    let edited = Document::from_json(edited.as_bytes()).unwrap();
    assert!(document("relays = []").overlay(&edited).as_json().contains_key("models"), "what was edited is the user's");
}

#[test]
fn a_problem_outside_the_document_says_where_it_is_and_how_to_mend_it() {
    let file = document("[[providers]]\npreset = \"echo\"\n[[relays]]\nname = \"r\"");
    let stored = document("models = [{ name = \"m\", targets = [\"gone/x\"] }]\nkeys = [{ name = \"k\" }]");
    let problems = file.locate(&stored, file.overlay(&stored).validate().unwrap_err());
    let problem_at = |path: &str| {
        let found = problems.0.iter().find(|problem| problem.path == path);
        found.unwrap_or_else(|| panic!("{path} in {problems}")).message.clone()
    };
    assert!(problem_at("models[0].targets[0]").contains("in the stored `models`"), "{problems}");
    assert!(problem_at("models[0].targets[0]").contains("`llmio catalog import`"), "{problems}");
    assert!(problem_at("keys[0].hash").contains("`llmio keys revoke NAME`"), "{problems}");
    assert!(!problem_at("relays[0].origin").contains("stored"), "{problems}");
    let own = stored.locate(&stored, stored.validate().unwrap_err());
    assert!(!own.to_string().contains("stored"), "{own}");
}

#[test]
fn adds_and_removes_keys() {
    let mut document = Document::empty();
    document.insert_key(json!({ "name": "one" }));
    document.insert_key(json!({ "name": "two" }));
    assert!(document.remove_key("one") && !document.remove_key("one"));
    assert_eq!(document.as_json()["keys"], json!([{ "name": "two" }]));
}

#[test]
fn seals_what_is_written_out_and_leaves_references() {
    let sealed = sealed(SECRETS);
    let text = sealed.to_json_string();
    for secret in ["sk-one", "sk-two", "hidden"] {
        assert!(!text.contains(secret), "{text}");
    }
    let provider = &sealed.as_json()["providers"][0];
    let first = &provider["credentials"][0];
    assert!(first["id"].as_str().unwrap().starts_with("c-") && first["label"] == "#1");
    assert!(first["sealed"].as_str().unwrap().starts_with("v1:"));
    let second = &provider["credentials"][1];
    assert!(second["label"] == "second" && second["enabled"] == false && second.get("value").is_none());
    assert_eq!(provider["credentials"][2], "${THREE}");
    assert_eq!(provider["credentials"][3], json!({ "variable": "FOUR" }));
    assert_eq!(provider["headers"]["x-plain"], "shown");
    assert_eq!(provider["headers"]["X-Secret"]["id"], "header/a/x-secret");
    assert_eq!(sent(&sealed, Some(&sealer())), ALL_SENT);
}

#[test]
fn seals_again_to_the_same() {
    let once = sealed(SECRETS);
    let mut twice = once.clone();
    twice.seal(Some(&once), Some(&sealer()), &mut nonces()).unwrap();
    assert!(once == twice);
}

#[test]
fn seals_anew_what_the_previous_master_key_sealed() {
    let stored = sealed(SECRETS);
    let both = Sealer::with_previous("the master key of today", MASTER).unwrap();
    let mut again = stored.clone();
    again.seal(Some(&stored), Some(&both), &mut nonces()).unwrap();
    assert!(again != stored);
    let today = Sealer::new("the master key of today").unwrap();
    assert_eq!(sent(&again, Some(&today)), ALL_SENT);
    let mut third = again.clone();
    third.seal(Some(&again), Some(&both), &mut nonces()).unwrap();
    assert!(third == again, "what today's key sealed stays as it is");
}

#[test]
fn shows_no_secret_and_takes_the_shown_document_back() {
    let stored = sealed(SECRETS);
    let shown = stored.redacted();
    let text = shown.to_json_string();
    assert!(!text.contains("sealed") && !text.contains("value"), "{text}");
    assert!(text.contains("${THREE}") && text.contains("second") && text.contains("shown"), "{text}");
    let again = put(&shown, &stored).unwrap();
    assert_eq!(sent(&again, Some(&sealer())), ALL_SENT);
    // The same through TOML, as `catalog export` and `import` do.
    let again = put(&document(&shown.to_toml().unwrap()), &stored).unwrap();
    assert_eq!(sent(&again, Some(&sealer())), ALL_SENT);
}

#[test]
fn shows_no_secret_of_an_unsealed_document_and_gives_the_same_ids() {
    let plain = document(SECRETS);
    assert!(plain.redacted() == sealed(SECRETS).redacted());
    assert!(!format!("{plain:?}").contains("sk-"));
    let again = put(&plain.redacted(), &plain).unwrap();
    assert_eq!(sent(&again, Some(&sealer())), ALL_SENT);
}

#[test]
fn keeps_a_label_in_place_when_another_credential_is_removed() {
    let stored = sealed(&SECRETS.replace("label = \"second\", ", ""));
    let mut shown = stored.redacted();
    shown.sections["providers"][0]["credentials"].as_array_mut().unwrap().remove(0);
    let again = put(&shown, &stored).unwrap();
    assert_eq!(again.as_json()["providers"][0]["credentials"][0]["label"], "#2");
}

#[test]
fn checks_a_shown_document_without_a_master_key() {
    let stored = sealed(SECRETS);
    let mut shown = stored.redacted();
    assert!(shown.validate().is_err(), "ids alone are no secrets");
    shown.recall(Some(&stored)).unwrap();
    assert_eq!(sent(&shown, Some(&sealer())), ALL_SENT);
}

#[test]
fn refuses_an_id_that_nothing_is_stored_under() {
    let unknown = document(&SECRETS.replace("\"sk-one\"", "{ id = \"c-0\" }"));
    assert_eq!(
        put(&unknown, &sealed(SECRETS)).unwrap_err(),
        ["providers[0].credentials[0].id: no stored secret has this id; give its value or a variable"]
    );
}

#[test]
fn does_not_carry_a_stored_secret_to_another_origin() {
    let stored = sealed(SECRETS);
    let mut moved = stored.redacted();
    moved.sections["providers"][0]["base_url"] = json!("https://evil.example/v1");
    let problems = put(&moved, &stored).unwrap_err();
    assert_eq!(problems.len(), 3, "two credentials and a header: {problems:?}");
    assert_eq!(
        problems[0],
        "providers[0].credentials[0].id: the stored secret is for https://a.example; \
         give its value again to use it at https://evil.example"
    );
    let mut path_only = stored.redacted();
    path_only.sections["providers"][0]["base_url"] = json!("https://A.example/v2");
    assert!(put(&path_only, &stored).is_ok());
}

#[test]
fn keeps_secrets_when_a_provider_is_renamed() {
    let stored = sealed(SECRETS);
    let mut renamed = stored.redacted();
    renamed.sections["providers"][0]["name"] = json!("b");
    let again = put(&renamed, &stored).unwrap();
    assert_eq!(again.as_json()["providers"][0]["headers"]["X-Secret"]["id"], "header/b/x-secret");
    assert_eq!(sent(&again, Some(&sealer())), ALL_SENT);
}

#[test]
fn refuses_to_store_a_secret_without_a_master_key_and_says_what_to_set() {
    let Err(problems) = document(SECRETS).accept(None, None, &mut nonces()) else { panic!("accepted") };
    let paths: Vec<&str> = problems.0.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["providers[0].credentials[0]", "providers[0].credentials[1]", "providers[0].headers.X-Secret"]);
    assert!(problems.0[0].message.contains("SPIN_VARIABLE_MASTER_KEY"), "{problems}");
    let references = document("providers = [{ preset = \"openai\", credentials = [\"${X}\", { variable = \"Y\" }] }]");
    assert!(references.accept(None, None, &mut nonces()).is_ok());
}

#[test]
fn tells_problems_of_sealing_and_of_the_rest_at_once_and_each_once() {
    let wrong = document(&SECRETS.replace("sk-one", "sk one").replace("headers", "haeders"));
    let problems = put(&wrong, &Document::empty()).unwrap_err();
    assert_eq!(
        problems,
        [
            "providers[0].credentials[0]: must be printable ASCII without spaces or line breaks; was it copied whole?",
            "providers[0].haeders: unknown field; did you mean \"headers\"?",
        ]
    );
}

#[test]
fn writes_secrets_out_only_with_their_master_key() {
    let stored = sealed(SECRETS);
    let open = stored.with_secrets(&sealer()).unwrap();
    let provider = &open.as_json()["providers"][0];
    assert_eq!(provider["credentials"][0]["value"], "sk-one");
    assert_eq!(provider["headers"]["X-Secret"]["value"], "hidden");
    assert!(!open.to_json_string().contains("sealed"));
    let other = Sealer::new("quite another master key").unwrap();
    let problems = stored.with_secrets(&other).unwrap_err();
    assert_eq!(problems.0.len(), 3);
    assert_eq!(problems.0[0].message, SealError::OtherMasterKey.to_string());
}

#[test]
fn serves_without_what_cannot_be_opened_and_says_why() {
    let stored = sealed(SECRETS);
    let other = Sealer::new("quite another master key").unwrap();
    let mut catalog = stored.validate().unwrap();
    assert_eq!(catalog.variables(), ["FIVE", "FOUR", "THREE"]);
    catalog.resolve(Some(&other), &|name| (name == "FOUR").then(|| "k".to_owned()));
    assert!(catalog.variables().is_empty());
    let missing = catalog.missing();
    let places: Vec<&str> = missing.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(
        places,
        [
            "provider a, credential #1",
            "provider a, credential second",
            "provider a, credential THREE",
            "provider a, header x-secret",
            "provider a, header x-ref",
        ]
    );
    assert!(missing[0].1.contains("sealed with another master_key"), "{missing:?}");
    assert!(missing[2].1.starts_with("The variable THREE is not set"), "{missing:?}");
    assert!(sent(&stored, None)[0].contains("no master_key"));
}

#[test]
fn does_not_send_what_a_variable_should_not_hold() {
    let mut catalog = document(SECRETS).validate().unwrap();
    catalog.resolve(None, &|_| Some("two\nlines".to_owned()));
    assert_eq!(catalog.missing().len(), 3);
    assert!(!format!("{:?}", catalog.missing()).contains("lines\""));
}
