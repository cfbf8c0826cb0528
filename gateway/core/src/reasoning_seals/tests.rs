use serde_json::json;

use super::*;

fn maker(place: &str, account: &str, profile: &str) -> SealMaker {
    SealMaker { place: place.to_owned(), account: Some(account.to_owned()), profile: profile.to_owned() }
}

#[test]
fn a_seal_is_the_same_in_every_dialect_and_alphabet() {
    let own = SealId::of("c2V-bA_=").expect("a seal");
    let in_gemini = general_purpose::URL_SAFE.encode("llmio:signature:llmio:anthropic:c2V-bA_=");
    for seal in ["c2V+bA/", "llmio:anthropic:c2V+bA/=", "llmio:whole:llmio:gemini:c2V-bA_", &in_gemini] {
        assert_eq!(SealId::of(seal), Some(own), "{seal}");
    }
    assert_eq!(SealId::of("llmio:call:an id llmio:gemini:c2V+bA/"), Some(own));
    assert_ne!(SealId::of("c2V+bB/"), Some(own));
    assert_eq!((SealId::of(""), SealId::of(UNSIGNED)), (None, None));
}

#[test]
fn seals_are_found_in_every_dialect_and_nothing_else_is() {
    let own = SealId::of("c2VhbA==").expect("a seal");
    for found in [
        json!({ "messages": [{ "role": "assistant", "content": [
            { "type": "thinking", "thinking": "Hm.", "signature": "c2VhbA==" }, { "type": "text", "text": "Hi" },
        ] }] }),
        json!({ "content": [{ "type": "redacted_thinking", "data": "c2VhbA==" }] }),
        json!({ "input": [{ "type": "reasoning", "summary": [], "encrypted_content": "c2VhbA==" }] }),
        json!({ "contents": [{ "parts": [{ "functionCall": {}, "thoughtSignature": "c2VhbA==" }] }] }),
        json!({ "contents": [{ "parts": [{ "thought_signature": "c2VhbA==" }] }] }),
        json!({ "messages": [{ "reasoning_details": [{ "type": "reasoning.encrypted", "data": "c2VhbA==" }] }] }),
    ] {
        assert_eq!(in_request(found.to_string().as_bytes()), [own], "{found}");
        assert_eq!(in_request(serde_json::to_string_pretty(&found).expect("JSON").as_bytes()), [own]);
    }
    let stored = json!({ "input": [{ "type": "reasoning", "id": "rs_1", "summary": [] }, { "type": "message", "id": "msg_1" }] });
    assert_eq!(in_request(stored.to_string().as_bytes()), [SealId::of("rs_1").expect("a seal")]);
    let body = json!({ "text": "\"signature\": \"c2VhbA==\"", "signature": null, "is": "signature", "a": "c2VhbA==" });
    assert_eq!(in_request(body.to_string().as_bytes()), []);
    assert_eq!(in_request(br#"{"signature": "c2Vhb\u0041\u003d\u003d"}"#), [own]);
}

#[test]
fn a_seal_in_pieces_of_any_size_is_found() {
    let text = br#"{"a":"\\","signature" : "c2Vh\u0062A==","b":"\"signature\":","data":"","n":[1,"x"]}"#;
    let mut whole = SealScan::default();
    whole.feed(text);
    let found = whole.take();
    assert_eq!(found.len(), 1);
    for size in 1..text.len() {
        let mut scan = SealScan::default();
        text.chunks(size).for_each(|piece| scan.feed(piece));
        assert_eq!(scan.take(), found, "{size}");
    }
}

#[test]
fn a_seal_is_read_by_who_made_it_and_by_whom_its_maker_lets_read() {
    let claude = maker("a.example", "c-1", "claude-sonnet-4-5");
    let bound = maker("a.example", "c-1", "claude-sonnet-5-5");
    let opus = maker("a.example", "c-1", "claude-opus-5-5");
    let gpt = maker("o.example", "c-1", "gpt-5.1");
    let (anthropic, responses) = (Dialect::Anthropic, Dialect::OpenaiResponses);
    for (reader, of, dialect, reads) in [
        (maker("a.example", "c-1", "claude-sonnet-4-5"), &claude, anthropic, true),
        (maker("a.example", "c-2", "claude-opus-4-6"), &claude, anthropic, true),
        (maker("b.example", "c-1", "claude-sonnet-4-5"), &claude, anthropic, false),
        (maker("a.example", "c-1", "kimi-k2.6"), &claude, anthropic, false),
        (maker("a.example", "c-1", "claude-sonnet-5-5"), &bound, anthropic, true),
        (maker("a.example", "c-2", "claude-sonnet-5-5"), &bound, anthropic, false),
        (maker("a.example", "c-1", "claude-haiku-5-5"), &bound, anthropic, false),
        (maker("a.example", "c-2", "claude-opus-5-5"), &opus, anthropic, true),
        (maker("a.example", "c-2", "claude-opus-5"), &opus, anthropic, false),
        (maker("o.example", "c-1", "gpt-5.4"), &gpt, responses, true),
        (maker("o.example", "c-2", "gpt-5.1"), &gpt, responses, false),
        (maker("o.example", "c-1", "a-deployment"), &gpt, responses, false),
    ] {
        assert_eq!(reader.reads(of, dialect), reads, "{reader:?} {of:?}");
    }
}

#[test]
fn what_nobody_is_known_to_have_made_is_refused_by_nobody() {
    let seals = ["one", "two", "three"].map(|seal| SealId::of(seal).expect("a seal"));
    let known = HashMap::from([(seals[1], maker("a", "c-1", "m"))]);
    let makers = Makers::new(&seals, known);
    let (own, other) = (maker("a", "c-1", "m"), maker("b", "c-1", "m"));
    assert!(makers.last_is_read_by(&own, Dialect::Gemini) && !makers.last_is_read_by(&other, Dialect::Gemini));
    let readable = Readable::by(&makers, &other, Dialect::Gemini);
    assert_eq!(["one", "two", "three"].map(|seal| readable.refuses(seal)), [false, true, false]);
    assert!(!readable.is_all() && Readable::by(&makers, &own, Dialect::Gemini).is_all());
    assert!(Readable::default().is_all() && Makers::default().last_is_read_by(&other, Dialect::Gemini));
}
