//! Authentication: every place a credential may stand in, every reason to refuse one, and the messages for each.

use gateway_core::catalog::{hash_key, hash_text};

use crate::common::{Gateway, Host, Request, TOKEN, chat, eventually};

both_hosts![
    a_credential_may_stand_in_every_place_clients_use,
    a_missing_and_an_unknown_key_are_told_apart,
    an_expired_and_a_disabled_key_are_told_apart,
    a_key_for_other_models_is_403_and_says_so,
    two_known_credentials_that_differ_are_refused,
    an_unknown_credential_beside_a_known_one_is_ignored,
    an_expired_or_disabled_key_beside_a_valid_one_is_ignored,
    a_key_may_not_use_the_admin_api,
    an_address_that_keeps_guessing_has_to_wait_and_valid_keys_pass,
    who_guesses_behind_a_proxy_makes_no_other_client_wait,
    an_imported_key_keeps_its_form,
    the_record_names_the_key_and_the_client,
];

fn key_entry(name: &str, key: &str, more: &str) -> String {
    format!("[[keys]]\nname = \"{name}\"\nhash = \"{}\"\n{more}\n", hash_text(&hash_key(key)))
}

const DEMO: &str = "[[providers]]\npreset = \"echo\"\n[[models]]\nname = \"demo\"\ntargets = [\"echo/x\"]\n";

fn a_credential_may_stand_in_every_place_clients_use(host: Host) {
    let gateway = Gateway::on(host).start();
    let key = gateway.new_key("k", &[]);
    let bare = chat("demo").without_key();
    let places = [
        bare.clone().header("Authorization", format!("bearer {key}")),
        bare.clone().header("x-api-key", &key),
        bare.clone().header("x-goog-api-key", &key),
        bare.clone().header("api-key", &key),
        bare.to(&format!("/v1/chat/completions?api-version=1&key={key}")),
    ];
    for request in places {
        let response = gateway.send(&request);
        assert_eq!(response.status, 200, "{request:?}: {}", response.text());
        assert_eq!(gateway.record(&response)["key"], "k");
    }
    let basic = chat("demo").without_key().header("authorization", format!("Basic {key}"));
    assert_eq!(gateway.send(&basic).status, 401);
}

fn a_missing_and_an_unknown_key_are_told_apart(host: Host) {
    let gateway = Gateway::on(host).start();
    let missing = gateway.send(&chat("demo").without_key());
    let unknown = gateway.send(&chat("demo").key("sk-llmio-abcdefghijklmnopx9Qf"));
    for (response, code) in [(&missing, "key_missing"), (&unknown, "key_unknown")] {
        assert_eq!((response.status, response.header("x-should-retry")), (401, Some("false")));
        let error = response.openai_error();
        assert_eq!((error.kind.as_str(), error.code.as_str()), ("authentication_error", code));
        assert!(error.message.contains("llmio keys create"), "{}", error.message);
    }
    let message = unknown.openai_error().message;
    assert!(message.contains("ending x9Qf") && !message.contains("klmnop"), "{message}");
    assert_eq!(missing.header("x-llmio-record"), None, "a call of nobody is not recorded");
}

fn an_expired_and_a_disabled_key_are_told_apart(host: Host) {
    let expired = key_entry("old", "sk-old", "expires = \"2020-01-01T00:00:00Z\"");
    let valid = key_entry("new", "sk-new", "expires = \"2999-01-01T00:00:00Z\"");
    let disabled = key_entry("off", "sk-off", "enabled = false");
    let gateway = Gateway::on(host).catalog(&format!("{DEMO}{expired}{valid}{disabled}")).start();
    for (key, code, says) in
        [("sk-old", "key_expired", "\"old\" has expired"), ("sk-off", "key_disabled", "\"off\" is disabled")]
    {
        let response = gateway.send(&chat("demo").key(key));
        assert_eq!((response.status, response.openai_error().code.as_str()), (401, code));
        assert!(response.openai_error().message.contains(says), "{}", response.text());
    }
    assert_eq!(gateway.send(&chat("demo").key("sk-new")).status, 200);
}

fn a_key_for_other_models_is_403_and_says_so(host: Host) {
    let more = "[[models]]\nname = \"other\"\naliases = [\"another\"]\ntargets = [\"echo/x\"]\n";
    let key = key_entry("narrow", "sk-narrow", "models = [\"other\"]");
    let gateway = Gateway::on(host).catalog(&format!("{DEMO}{more}{key}")).start();
    let response = gateway.send(&chat("demo").key("sk-narrow"));
    assert_eq!((response.status, response.header("x-should-retry")), (403, Some("false")));
    let error = response.openai_error();
    assert_eq!((error.code.as_str(), error.param.as_str()), ("model_not_allowed", "model"));
    assert!(error.message.contains("\"narrow\"") && error.message.contains("\"demo\""), "{}", error.message);
    assert_eq!(gateway.record(&response)["state"], "rejected");
    assert_eq!(gateway.send(&chat("other").key("sk-narrow")).status, 200);
    assert_eq!(gateway.send(&chat("another").key("sk-narrow")).status, 200);
}

fn two_known_credentials_that_differ_are_refused(host: Host) {
    let gateway = Gateway::on(host).start();
    let key = gateway.new_key("mine", &[]);
    let both = chat("demo").key(TOKEN).header("x-api-key", &key);
    // Beside a known credential a new key counts as unknown until an instance looks again, a tenth of a second later.
    let response = eventually("the new key is known everywhere", || {
        Some(gateway.send(&both)).filter(|response| response.status != 200)
    });
    assert_eq!((response.status, response.openai_error().code.as_str()), (401, "two_credentials"));
    let message = response.openai_error().message;
    assert!(message.contains("\"mine\"") && message.contains("\"admin\"") && message.contains("Send one"), "{message}");
    assert_eq!(gateway.send(&chat("demo").key(&key).header("x-api-key", &key)).status, 200);
}

fn an_unknown_credential_beside_a_known_one_is_ignored(host: Host) {
    let gateway = Gateway::on(host).start();
    let request = chat("demo").header("x-api-key", "sk-ant-of-somebody-else").header("api-key", "dummy");
    assert_eq!(gateway.send(&request).status, 200);
}

fn an_expired_or_disabled_key_beside_a_valid_one_is_ignored(host: Host) {
    let expired = key_entry("old", "sk-old", "expires = \"2020-01-01T00:00:00Z\"");
    let disabled = key_entry("off", "sk-off", "enabled = false");
    let keys = format!("{expired}{disabled}{}", key_entry("new", "sk-new", ""));
    let gateway = Gateway::on(host).catalog(&format!("{DEMO}{keys}")).start();
    for (one, other) in [("sk-old", "sk-new"), ("sk-new", "sk-old"), ("sk-off", "sk-new"), ("sk-new", "sk-off")] {
        let response = gateway.send(&chat("demo").key(one).header("x-api-key", other));
        assert_eq!(response.status, 200, "{one}, {other}: {}", response.text());
        assert_eq!(gateway.record(&response)["key"], "new", "{one}, {other}");
    }
    let neither = gateway.send(&chat("demo").key("sk-old").header("x-api-key", "sk-off"));
    assert_eq!((neither.status, neither.openai_error().code.as_str()), (401, "key_expired"));
}

fn a_key_may_not_use_the_admin_api(host: Host) {
    let gateway = Gateway::on(host).start();
    let key = gateway.new_key("mine", &[]);
    let response = gateway.send(&Request::new("GET", "/api/catalog").key(&key));
    assert_eq!(response.status, 403);
    assert!(response.problem_detail().contains("admin token"), "{}", response.text());
}

fn an_address_that_keeps_guessing_has_to_wait_and_valid_keys_pass(host: Host) {
    let gateway = Gateway::on(host).start();
    let mut guessing = gateway.connect_from(1);
    // Counted by each instance for itself, so it may take a few more than ten.
    let mut count = 0;
    let waiting = eventually("the address has to wait", || {
        count += 1;
        let response = guessing.exchange(&chat("demo").key(&format!("sk-guess-{count}")));
        (response.status == 429).then_some(response)
    });
    assert!(count > 10, "refused after {count} failures; ten a minute are allowed");
    assert_eq!(waiting.openai_error().code, "too_many_failures");
    let wait_s: u64 = waiting.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
    assert!((1..=60).contains(&wait_s), "{wait_s}");
    assert_eq!(guessing.exchange(&chat("demo")).status, 200, "a valid key passes from the same address");
    let mut elsewhere = gateway.connect_from(2);
    assert_eq!(elsewhere.exchange(&chat("demo").key("sk-guess")).status, 401, "another address may fail itself");
}

fn who_guesses_behind_a_proxy_makes_no_other_client_wait(host: Host) {
    let settings = "[settings]\ntrusted_proxies = [\"127.77.0.3\"]\n";
    let gateway = Gateway::on(host).catalog(&format!("{settings}{DEMO}")).start().settled();
    let mut proxy = gateway.connect_from(3);
    let mut guess =
        |client: &str| proxy.exchange(&chat("demo").key("sk-guess").header("x-forwarded-for", client)).status;
    eventually("the client has to wait", || (guess("203.0.113.7") == 429).then_some(()));
    assert_eq!(guess("203.0.113.8"), 401);
}

fn an_imported_key_keeps_its_form(host: Host) {
    let key = "any form: with spaces, = and ü";
    let gateway = Gateway::on(host).catalog(&format!("{DEMO}{}", key_entry("old", key, ""))).start();
    assert_eq!(gateway.send(&chat("demo").key(key)).status, 200);
    let encoded = "/v1/models?key=any%20form%3A%20with%20spaces%2C%20%3D%20and%20%C3%BC";
    assert_eq!(gateway.send(&Request::new("GET", encoded)).status, 200);
}

fn the_record_names_the_key_and_the_client(host: Host) {
    let settings = "[settings]\ntrusted_proxies = [\"127.77.0.9\"]\n";
    let gateway = Gateway::on(host).catalog(&format!("{settings}{DEMO}")).start().settled();
    let request = chat("demo").header("x-forwarded-for", "198.51.100.1, 203.0.113.7");
    let request = request.header("user-agent", "OpenAI/Python 2.1").header("x-session-id", "s-1");
    let from_anyone = gateway.record(&gateway.connect_from(8).exchange(&request));
    assert_eq!((&from_anyone["client"], &from_anyone["key"]), (&"127.77.0.8".into(), &"admin".into()));
    assert_eq!((&from_anyone["user_agent"], &from_anyone["session"]), (&"OpenAI/Python 2.1".into(), &"s-1".into()));
    let from_proxy = gateway.record(&gateway.connect_from(9).exchange(&request));
    assert_eq!(from_proxy["client"], "203.0.113.7", "only what the trusted proxy wrote is believed");
}
