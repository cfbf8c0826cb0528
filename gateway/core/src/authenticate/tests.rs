use super::*;
use crate::catalog::{Document, hash_key, hash_text};

const NOW_MS: i64 = 1_800_000_000_000;

fn catalog() -> Catalog {
    let hash = |key: &str| hash_text(&hash_key(key));
    let text = format!(
        r#"
        keys = [
            {{ name = "laptop", hash = "{}", models = ["qwen*"] }},
            {{ name = "off", hash = "{}", enabled = false }},
            {{ name = "old", hash = "{}", expires = "2026-01-01T00:00:00Z" }},
            {{ name = "rotated", hash = "{}", previous = {{ hash = "{}", until = "2027-02-01T00:00:00Z" }} }},
            {{ name = "rotated-long-ago", hash = "{}", previous = {{ hash = "{}", until = "2027-01-01T00:00:00Z" }} }},
        ]
        "#,
        hash("sk-laptop-0123456789"),
        hash("sk-off"),
        hash("sk-old"),
        hash("sk-new-1"),
        hash("sk-before-1"),
        hash("sk-new-2"),
        hash("sk-before-2"),
    );
    Document::from_toml(&text).and_then(|document| document.validate()).expect("a valid catalog")
}

fn ask(needs: Needs, presented: &[&str]) -> Result<Caller, Refusal> {
    let presented: Vec<String> = presented.iter().map(|each| (*each).to_owned()).collect();
    authenticate(needs, &presented, &Token::new("the-admin-token-1"), &catalog(), NOW_MS)
}

fn code(result: Result<Caller, Refusal>) -> Option<&'static str> {
    let refusal = result.expect_err("refused");
    assert_eq!(refusal.should_retry, Some(false), "SDKs would retry for minutes");
    refusal.code
}

#[test]
fn keys_and_the_token_open_data_routes_and_only_the_token_admin_ones() {
    assert_eq!(ask(Needs::Key, &["sk-laptop-0123456789"]), Ok(Caller::Key("laptop".into())));
    assert_eq!(ask(Needs::Key, &["the-admin-token-1"]), Ok(Caller::Admin));
    assert_eq!(ask(Needs::Admin, &["the-admin-token-1"]), Ok(Caller::Admin));
    assert_eq!(code(ask(Needs::Admin, &["sk-laptop-0123456789"])), Some("admin_token_needed"));
}

#[test]
fn the_admin_token_is_no_parameter_of_the_route_it_opens() {
    let token = Token::new("the-admin-token-1");
    let left = |query: &str| without_credential(query, &Caller::Admin, &token, &catalog());
    assert_eq!(left("key=the-admin-token-1"), None);
    assert_eq!(
        left("limit=1&key=the%2Dadmin-token-1&key=laptop&state=ok").as_deref(),
        Some("limit=1&key=laptop&state=ok")
    );
    assert_eq!(left("key=the-admin-token-2").as_deref(), Some("key=the-admin-token-2"));
    let unset = without_credential("key=", &Caller::Admin, &Token::default(), &catalog());
    assert_eq!(unset.as_deref(), Some("key="));
}

#[test]
fn a_key_is_no_parameter_of_the_route_it_opens() {
    let left = |query: &str| {
        let caller = Caller::Key("rotated".into());
        without_credential(query, &caller, &Token::new("the-admin-token-1"), &catalog())
    };
    assert_eq!(left("key=sk-new-1&as=conversation").as_deref(), Some("as=conversation"));
    assert_eq!(left("as=conversation&key=sk-before-1").as_deref(), Some("as=conversation"));
    assert_eq!(left("key=sk-new-2").as_deref(), Some("key=sk-new-2"), "another key's");
}

#[test]
fn each_reason_to_refuse_a_key_has_its_own_message() {
    assert_eq!(code(ask(Needs::Key, &[])), Some("key_missing"));
    assert_eq!(code(ask(Needs::Key, &["sk-nobody"])), Some("key_unknown"));
    assert_eq!(code(ask(Needs::Key, &["sk-off"])), Some("key_disabled"));
    assert_eq!(code(ask(Needs::Key, &["sk-old"])), Some("key_expired"));
}

#[test]
fn an_unknown_key_is_named_by_its_last_four_characters_if_it_is_long() {
    let message = |key: &str| ask(Needs::Key, &[key]).expect_err("refused").message;
    assert!(message("sk-unknown-0123456789-x9Qf").contains("Unknown key ending x9Qf."));
    assert!(message("hunter2").starts_with("Unknown key. "));
}

#[test]
fn unknown_keys_beside_a_known_one_are_ignored_and_two_known_refused() {
    assert_eq!(ask(Needs::Key, &["sk-nobody", "sk-laptop-0123456789"]), Ok(Caller::Key("laptop".into())));
    assert_eq!(code(ask(Needs::Key, &["the-admin-token-1", "sk-laptop-0123456789"])), Some("two_credentials"));
}

#[test]
fn a_key_that_has_expired_is_ignored_beside_one_that_has_not() {
    for presented in [["sk-old", "sk-laptop-0123456789"], ["sk-laptop-0123456789", "sk-off"]] {
        assert_eq!(ask(Needs::Key, &presented), Ok(Caller::Key("laptop".into())));
    }
    assert_eq!(code(ask(Needs::Key, &["sk-nobody", "sk-old"])), Some("key_expired"));
}

#[test]
fn without_a_token_nothing_is_the_token() {
    let refused = authenticate(Needs::Key, &[String::new()], &Token::new(""), &catalog(), NOW_MS);
    assert_eq!(code(refused), Some("key_unknown"));
}

#[test]
fn credentials_are_found_in_every_documented_place() {
    let header = |name: &str, value: &str| vec![(name.to_owned(), value.as_bytes().to_vec())];
    assert_eq!(presented(&header("authorization", "Bearer abc"), None), ["abc"]);
    assert_eq!(presented(&header("authorization", "bearer  abc "), None), ["abc"]);
    assert_eq!(presented(&header("authorization", "Basic abc"), None), Vec::<String>::new());
    for name in ["x-api-key", "x-goog-api-key", "api-key"] {
        assert_eq!(presented(&header(name, "abc"), None), ["abc"], "{name}");
    }
    assert_eq!(presented(&[], Some("alt=sse&key=a%2Bb")), ["a+b"]);
    assert_eq!(presented(&header("api-key", "abc"), Some("key=abc")), ["abc"]);
    assert_eq!(presented(&header("authorization", "Bearer \u{e9}"), None), ["\u{e9}"]);
}

#[test]
fn a_key_may_use_only_its_models() {
    let catalog = catalog();
    let caller = Caller::Key("laptop".into());
    assert!(may_use(&caller, "qwen3", &catalog));
    assert!(!may_use(&caller, "gpt-5", &catalog));
    assert!(may_use(&Caller::Admin, "gpt-5", &catalog));
    assert!(!may_use(&Caller::Anyone, "qwen3", &catalog));
}

#[test]
fn the_eleventh_failure_in_a_minute_closes_an_address_ever_longer() {
    let mut throttle = Throttle::default();
    let address: IpAddr = "203.0.113.1".parse().expect("an address");
    for _ in 0..10 {
        assert_eq!(throttle.failed(address, NOW_MS), Ok(()));
    }
    assert_eq!(throttle.failed(address, NOW_MS), Err(60));
    assert_eq!(throttle.failed(address, NOW_MS + 30_000), Err(30));
    let later_ms = NOW_MS + 60_000;
    for _ in 0..10 {
        assert_eq!(throttle.failed(address, later_ms), Ok(()));
    }
    assert_eq!(throttle.failed(address, later_ms), Err(120));
    let calm_ms = later_ms + 120_000 + 400_000;
    for _ in 0..10 {
        assert_eq!(throttle.failed(address, calm_ms), Ok(()));
    }
    assert_eq!(throttle.failed(address, calm_ms), Err(60));
}

#[test]
fn addresses_are_counted_apart_and_an_ipv6_network_as_one() {
    let mut throttle = Throttle::default();
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    for host in 0..11 {
        let _ = throttle.failed(address(&format!("2001:db8::{host}")), NOW_MS);
    }
    assert_eq!(throttle.failed(address("2001:db8::ffff"), NOW_MS), Err(60));
    assert_eq!(throttle.failed(address("2001:db8:0:1::1"), NOW_MS), Ok(()));
}

#[test]
fn the_throttle_remembers_a_bounded_number_of_addresses() {
    let mut throttle = Throttle::default();
    for number in 0..5000u32 {
        let _ = throttle.failed(IpAddr::V4(number.into()), NOW_MS + i64::from(number));
    }
    assert!(throttle.addresses.len() <= ADDRESSES_MAX);
}

#[test]
fn a_rotated_key_is_the_same_caller_for_as_long_as_it_is_good() {
    let rotated = Ok(Caller::Key("rotated".into()));
    assert_eq!(ask(Needs::Key, &["sk-new-1"]), rotated);
    assert_eq!(ask(Needs::Key, &["sk-before-1"]), rotated);
    assert_eq!(ask(Needs::Key, &["sk-before-1", "sk-new-1"]), rotated, "one caller with two secrets");
    assert_eq!(ask(Needs::Key, &["sk-new-2"]), Ok(Caller::Key("rotated-long-ago".into())));
    let refusal = ask(Needs::Key, &["sk-before-2"]).expect_err("too late");
    assert_eq!((refusal.status, refusal.code), (401, Some("key_rotated")));
    assert!(refusal.message.contains("since 2027-01-01T00:00:00Z. Use the new one."), "{}", refusal.message);
}
