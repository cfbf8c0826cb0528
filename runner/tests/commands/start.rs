//! What a start says, and what it does not start with.

use super::*;

#[test]
fn the_first_start_that_succeeds_greets_whatever_was_before() {
    let place = Place::new();
    place.ok(&["keys", "list"]);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = taken.local_addr().expect("its address").to_string();
    let message = place.fails(&["serve", "--listen", &address], 75);
    assert!(message.contains(&address) && message.contains("--listen"), "{message}");
    let words = words_of_a_start(&place, &[]);
    let token = place.ok(&["token"]);
    assert!(words.contains("Bearer $(llmio token)") && words.contains("\"model\":\"demo\""), "{words}");
    assert!(!words.contains(token.trim()), "what is no terminal may be a log that many read");
    let words = words_of_a_start(&place, &[]);
    assert_eq!(words.lines().count(), 1, "{words}");
}

#[test]
fn the_first_start_names_a_model_and_a_token_the_shell_knows() {
    let place = Place::new();
    let model = |name: &str, more: &str| format!("[[models]]\nname = \"{name}\"\n{more}targets = [\"echo/x\"]\n");
    let text = format!("[[providers]]\npreset = \"echo\"\n{}{}", model("off", "enabled = false\n"), model("mine", ""));
    let file = place.file("llmio.toml", &text);
    let words = words_of_a_start(&place, &["--catalog", &file, "--token", "given-4f9c2be81d7a63"]);
    assert!(words.contains("\"model\":\"mine\"") && words.contains("Bearer YOUR_TOKEN"), "{words}");
    assert!(!words.contains("given-") && !words.contains('$'), "{words}");
}

#[test]
fn a_kept_token_is_not_printed_while_the_server_has_another() {
    let place = Place::new();
    let token = place.ok(&["token"]);
    let place = place.with("LLMIO_TOKEN", "given-4f9c2be81d7a63");
    let server = place.serve();
    let place = Place { variables: Vec::new(), ..place };
    let message = place.fails(&["token"], 78);
    assert!(message.contains("LLMIO_TOKEN") && !message.contains(token.trim()), "{message}");
    server.stop();
    assert_eq!(place.ok(&["token"]), token, "the next server would have it");
}

#[test]
fn a_kept_token_or_key_that_protects_nothing_gives_78() {
    let place = Place::new();
    place.ok(&["token"]);
    fs::write(place.data().join("token"), "change-me\n").expect("a weak token");
    let message = place.fails(&["serve", "--listen", "0.0.0.0:0"], 78);
    assert!(message.contains("data/token has fewer than 16 characters") && !message.contains("change-me"), "{message}");
    fs::write(place.data().join("master.key"), "short\n").expect("a short key");
    let message = place.fails(&["keys", "list"], 78);
    assert!(message.contains("master.key must have 16 characters"), "{message}");
}

#[test]
fn variables_that_are_set_to_nothing_count_as_absent() {
    let place =
        Place::new().with("LLMIO_MASTER_KEY", "").with("LLMIO_MASTER_KEY_PREVIOUS", "").with("LLMIO_SECRETS", "");
    place.ok(&["catalog", "import", &place.file("llmio.toml", CATALOG)]);
    assert!(place.data().join("master.key").exists(), "one is made");
    let place = place.with("LLMIO_MASTER_KEY_PREVIOUS", "short");
    let message = place.fails(&["keys", "list"], 78);
    assert!(message.contains("LLMIO_MASTER_KEY_PREVIOUS"), "{message}");
}

#[test]
fn a_token_that_no_header_can_carry_gives_78() {
    let place = Place::new().with("LLMIO_TOKEN", "given-4f9c2be81d7a63\n");
    for arguments in [["serve", "--listen", "127.0.0.1:0"].as_slice(), &["keys", "list"]] {
        let message = place.fails(arguments, 78);
        assert!(message.contains("LLMIO_TOKEN holds a line end") && !message.contains("given-"), "{message}");
    }
}

#[test]
fn an_address_that_is_not_this_machines_gives_78() {
    let place = Place::new();
    // RFC 5737: nobody's.
    let message = place.fails(&["serve", "--listen", "192.0.2.1:0"], 78);
    assert!(message.contains("192.0.2.1") && message.contains("--listen"), "{message}");
}
