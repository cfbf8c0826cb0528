//! Providers that refuse `stream_options`.

use super::*;

fn body_of(operation: Operation, body: &str, preset: &str) -> (String, bool) {
    let text = format!(
        r#"providers = [{{ name = "p", preset = "{preset}", credentials = ["k"] }}]
        models = [{{ name = "m", targets = ["p/up"] }}]"#
    );
    let catalog = Document::from_toml(&text).and_then(|document| document.validate()).expect("a valid catalog");
    let call = accept::call(operation, accept::Head::default(), body.as_bytes().to_vec()).expect("a valid call");
    match request(&call, &[], first(&catalog), IDENTITY, false).expect("a request") {
        Destination::Http(outgoing) => {
            let leaves_out = matches!(outgoing.transform, ResponseTransform::WithoutUsage(_));
            assert!(outgoing.warnings.is_empty(), "{:?}", outgoing.warnings);
            (String::from_utf8(outgoing.body).expect("UTF-8"), leaves_out)
        }
        Destination::Echo(_) => panic!("not the echo provider"),
    }
}

#[test]
fn a_provider_that_refuses_stream_options_gets_none() {
    let plain = r#"{"model":"m","stream":true,"messages":[]}"#;
    let asking = r#"{"model":"m","stream_options":{"include_usage":true},"stream":true,"messages":[]}"#;
    let expected = r#"{"model":"up","stream":true,"messages":[]}"#.to_owned();
    for body in [plain, asking] {
        assert_eq!(body_of(Operation::Chat, body, "cohere"), (expected.clone(), false));
    }
    let anthropic = r#"{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
    let translated = body_of(Operation::Messages, anthropic, "cohere").0;
    assert!(!translated.contains("stream_options") && translated.contains("\"stream\":true"), "{translated}");
    // Others are asked for the usage as ever.
    let (body, leaves_out) = body_of(Operation::Chat, plain, "groq");
    assert!(leaves_out && body.contains("stream_options"), "{body}");
    assert!(body_of(Operation::Messages, anthropic, "groq").0.contains("stream_options"));
}
