use super::*;
use crate::candidate::{Skip, SkipReason};
use crate::catalog::{Catalog, Document};
use crate::verdict::ErrorKind;

fn catalog() -> Catalog {
    let text = "models = [{ name = \"m\", targets = [\"p/upstream\"] }]\n[[providers]]\nname = \"p\"\n\
                base_url = \"https://p.example/v1\"\ncredentials = [\"sk-secret-of-p\"]";
    let mut catalog = Document::from_toml(text).and_then(|document| document.validate()).expect("a valid catalog");
    catalog.resolve(None, &|_| None);
    catalog
}

fn to(catalog: &Catalog) -> AttemptParts<'_> {
    let target = &catalog.models[0].targets[0];
    let credential = target.provider.credentials.first().map(|credential| &**credential);
    AttemptParts { target, provider: &target.provider, upstream_model: "upstream", credential }
}

fn answered(status: u16, headers: &[(&str, &str)], body: &str) -> Outcome {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    let dialect = Dialect::OpenaiChat;
    Outcome::Answered(UpstreamError { status, headers, body: body.into(), hint: None, dialect })
}

#[test]
fn only_an_answer_that_failed_is_noted_before_its_end() {
    let verdict = Verdict::of(Class::Target);
    let noted = |message: &str| Lesson::Noted(verdict, message.to_owned());
    for (outcome, words, learnt) in [
        (Outcome::NotSent(Skip::new(SkipReason::QuotaSpent, None)), None, Lesson::Nothing),
        (Outcome::Head(200), None, Lesson::Begun),
        (answered(503, &[], "{}"), Some("overloaded"), noted("503: overloaded")),
        (answered(503, &[], "{}"), None, noted("503")),
        (Outcome::Failed(SendError::FirstByteTimeout), None, noted("did not answer in time")),
    ] {
        assert_eq!(lesson(&outcome, verdict, words), learnt, "{outcome:?}");
    }
}

fn stream_error(status: Option<u16>, data: &str) -> Observation {
    let error = StreamError { message: "sk-secret-of-p is bad".into(), status, data: data.into() };
    Observation { error: Some(error), ..Observation::default() }
}

#[test]
fn an_answer_that_came_to_its_end_is_good() {
    let (verdict, message) = lesson_of_end(&mut Observation::default(), None, to(&catalog()), None);
    assert_eq!((verdict, message.as_str()), (Verdict::of(Class::Ok), ""));
}

#[test]
fn a_connection_that_broke_says_more_than_an_error_in_the_answer() {
    let catalog = catalog();
    let mut observation = stream_error(Some(429), "{}");
    let (verdict, message) = lesson_of_end(&mut observation, Some(&SendError::Truncated), to(&catalog), None);
    assert_eq!((verdict.class, message), (Class::Target, SendError::Truncated.describe()));
}

#[test]
fn an_error_in_an_answer_is_judged_by_its_codes_alone() {
    let catalog = catalog();
    let data = r#"{"error":{"message":"insufficient_quota","code":"overloaded"}}"#;
    let mut observation = stream_error(None, data);
    let (verdict, message) = lesson_of_end(&mut observation, None, to(&catalog), Some(b"{}"));
    assert_eq!((verdict.class, verdict.kind, message.as_str()), (Class::Target, ErrorKind::Plain, "502"));
    let error = observation.error.expect("it stays");
    assert!(!error.message.contains("sk-secret-of-p"), "{}", error.message);
}

#[test]
fn a_refusal_tells_of_the_account_and_a_good_answer_of_the_lane() {
    let limits = [("x-ratelimit-limit-requests", "10"), ("x-ratelimit-remaining-requests", "0")];
    let headers: Vec<(String, Vec<u8>)> =
        limits.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    let good = limit_news(&Outcome::Head(200), Some(&headers), Now::of_wall(0)).expect("headers tell of a limit");
    assert_eq!((good.signals.len(), good.used_up().len()), (1, 1));
    let refused = limit_news(&answered(429, &limits, "{}"), None, Now::of_wall(0)).expect("so do those of a refusal");
    assert_eq!((refused.signals.len(), refused.used_up().len()), (1, 0), "its lane is in the verdict already");
    assert_eq!(limit_news(&Outcome::Head(200), Some(&[]), Now::of_wall(0)), None);
    assert_eq!(limit_news(&Outcome::Head(200), None, Now::of_wall(0)), None, "the built-in provider has no limits");
    assert_eq!(limit_news(&answered(500, &limits, "{}"), None, Now::of_wall(0)), None);
}
