//! What holds for every page: each is rendered here, for every reader and in every language, over values that attack it.

mod every;

use gateway_core::bodies::{Gone, KeptBody, What};
use gateway_core::candidate::{SkipReason, Skipped};
use gateway_core::catalog::{Catalog, Change, Difference, Document, ProviderLabel};
use gateway_core::clock::Now;
use gateway_core::health::{Subject, Trouble};
use gateway_core::join::{JoinPlan, JoinedModel, JoinedTarget, Vanished};
use gateway_core::outcome::limits::Span;
use gateway_core::problem::{Problem, Problems};
use gateway_core::quota::{Moment, Row};
use gateway_core::record::{AttemptRecord, DecisionRecord};
use gateway_core::refusal::Refusal;
use gateway_core::state::State;
use gateway_core::stats::{By, Narrowed, SeriesSums, SpanSums, Sums, bucket};
use gateway_core::uri::encode_parameter;
use gateway_core::views::{
    CandidateView, ChangeView, CheckDoneView, ConversationView, ConversationsView, CredentialCheckView,
    FailedProviderView, HealthView, HistoryView, JoinPreviewView, KeptOfKeyView, KeyView, LatencyView, LearntView,
    LimitView, LookedView, PlanView, QuotaView, RecordView, RecordsView, RefusalView, RefusedParameterView,
    ReportedLimitView, SessionView, SessionsView, StoredJson, SubjectView, VersionView,
};
use jiff::tz::TimeZone;
use serde_json::json;

use every::{body, every_page, talk};

use super::*;
use crate::assets;
use crate::edit::{Editing, Refused};
use crate::frame::{Frame, Labels, Reader, Theme};
use crate::language::Language;
use crate::query::Query;
use crate::routes::{self, Found};
use crate::show::Clock;

/// A text that would break out of a text, an attribute in either quotes, an address, a style or a script.
const EVIL: &str = "</td></title></script><img src=x onerror=alert(1)>\"'><script>alert(2)</script>{{7*7}}javascript:x";

const READERS: [fn() -> Reader; 3] = [|| Reader::Nobody, || Reader::Admin, || Reader::Holder(EVIL.to_owned())];

fn frame(reader: Reader, language: Language, here: &str) -> Frame {
    let clock = Clock { zone: TimeZone::UTC, now_ms: 1_764_000_000_000, language };
    let label = ProviderLabel { short: Some(evil()), hue: Some(3) };
    let labels = Labels::of([(EVIL, &label)].into_iter());
    Frame { reader, language, theme: Theme::Dark, here: here.to_owned(), clock, labels }
}

fn evil() -> String {
    EVIL.to_owned()
}

fn attempt(class: &'static str, start_ms: u64) -> AttemptRecord {
    AttemptRecord {
        provider: evil(),
        model: format!("{EVIL}{start_ms}"),
        credential: Some(evil()),
        translated_to: Some(evil().into()),
        egress: Some(evil()),
        status: Some(429),
        class: class.into(),
        error: Some(evil()),
        start_ms,
        end_ms: start_ms + 200,
    }
}

fn record(state: &str, attempts: Vec<AttemptRecord>) -> RecordView {
    let skipped = Skipped {
        target: evil(),
        reason: SkipReason::QuotaSpent,
        until_ms: Some(1_764_000_000_000),
        message: Some(evil()),
    };
    let decision = DecisionRecord {
        candidates: vec![evil(), format!("{EVIL}/{EVIL}")],
        tiers: vec![1, 2],
        weights: vec![3],
        strategy: Some(EVIL.into()),
        catalog: Some(7),
        skipped: vec![skipped],
        draw: evil(),
        affinity: Some("session".into()),
        waited_ms: Some(12),
    };
    RecordView {
        id: evil(),
        at_ms: 1_763_999_000_000,
        key: Some(evil()),
        model: Some(evil()),
        dialect: Some(evil()),
        endpoint: Some(evil()),
        streamed: Some(true),
        session: Some(evil()),
        client: Some(evil()),
        user_agent: Some(evil()),
        state: state.to_owned(),
        status: Some(503),
        error: Some(evil()),
        provider: Some(evil()),
        upstream_model: Some(evil()),
        decision: Some(StoredJson::Read(decision)),
        attempts: Some(StoredJson::Read(attempts)),
        first_byte_ms: Some(300),
        first_content_ms: Some(400),
        duration_ms: Some(1000),
        bytes_in: Some(12),
        bytes_out: Some(0),
        input_tokens: Some(41_236),
        cache_read_tokens: None,
        cache_write_tokens: Some(1),
        output_tokens: Some(612),
        reasoning_tokens: Some(3),
        cost_nano: Some(31_000_000),
        price: Some(evil()),
        tokens_per_second: Some(78.4),
        warnings: Some(StoredJson::Read(vec![evil()])),
    }
}

fn records() -> Vec<RecordView> {
    let failed = || vec![attempt("rate", 10), attempt("credential", 220)];
    let mut records: Vec<RecordView> = State::ALL.iter().map(|state| record(state.name(), failed())).collect();
    records.push(record("ok", vec![attempt("rate", 10), attempt("ok", 220)]));
    records.push(record("ok", vec![attempt("ok", 3)]));
    records.push(record(EVIL, Vec::new()));
    records.push(RecordView { id: "bare".into(), ..RecordView::default() });
    let kept = |text: &str| Some(StoredJson::read(serde_text(text)));
    records.push(RecordView { decision: kept("decision"), warnings: None, ..record("ok", Vec::new()) });
    records
}

/// JSON that no version of this code has written.
fn serde_text(member: &str) -> String {
    format!("{{\"{member}\": \"{}\"}}", EVIL.replace('"', "\\\""))
}

/// A catalog whose texts attack pages, as far as a catalog may have such.
fn catalog() -> Catalog {
    let text = catalog_text();
    let mut catalog = Document::from_json(text.as_bytes()).and_then(|d| d.validate()).unwrap_or_else(|e| panic!("{e}"));
    catalog.resolve(None, &|_| None);
    catalog
}

fn catalog_text() -> String {
    let evil = EVIL.replace('\\', "").replace('"', "\\\"");
    format!(
        r#"{{"providers": [
            {{"name": "p", "base_url": "https://p.example/v1", "tags": ["t"], "quotas": [{{"rpd": 5}}, {{"per": "pool", "tpm": 7}}],
              "credentials": [{{"id": "c-1", "variable": "A", "label": "{evil}", "pool": "{pool}"}}, {{"id": "c-2", "value": "x", "label": "b", "enabled": false}}]}},
            {{"name": "q", "base_url": "http://127.0.0.1:1/v1", "local": true, "enabled": false}}],
          "models": [
            {{"name": "{tight}", "aliases": ["a"], "fallback": ["n"], "targets": [{{"provider": "p", "model": "{tight}", "capabilities": {{"context": 5, "tools": false}}}}, {{"provider": "q", "model": "m", "tier": 2, "price": {{"input": 1, "output": 2}}}}]}},
            {{"name": "n", "enabled": false, "targets": ["q/x"]}}],
          "keys": [{{"name": "{tight}", "hash": "sha256:{hash}", "models": ["n"], "limits": {{"rpm": 5, "budget": "1 USD/day"}}}}],
          "relays": [{{"name": "r", "origin": "https://r.example", "public": true}}]}}"#,
        pool = evil.replace([' ', '/', '*'], ""),
        tight = evil.replace([' ', '*'], ""),
        hash = "0123456789abcdef".repeat(4),
    )
}

fn health(catalog: &Catalog) -> HealthView {
    let subject = |key: &str, trouble, until_ms| SubjectView {
        subject: Subject::parse(key).expect("a subject"),
        kind: "k",
        name: evil(),
        trouble,
        message: evil(),
        since_ms: 1,
        until_ms,
        over: until_ms < 5,
        in_a_row: 3,
    };
    let model = catalog.models[0].targets[0].model.as_deref().unwrap_or_default();
    let subjects = vec![
        subject("credential/c-1", Trouble::Resting, 9),
        subject(&format!("lane/c-1/{model}"), Trouble::Cooling, 9),
        subject(&format!("target/p/{model}"), Trouble::Open, 9),
        subject("target/p/other", Trouble::UnknownModel, 1),
        subject("lane/q/m", Trouble::Spent, 9),
    ];
    let latency = LatencyView { target: format!("p/{EVIL}"), streamed: true, first_content_ms: 12.0, as_of_ms: 1 };
    let refused = RefusedParameterView {
        provider: catalog.models[0].targets[0].provider.name.to_string(),
        model: model.to_owned(),
        parameter: evil(),
        calls: 3,
        last_ms: 1,
    };
    let refused_parameters = vec![refused];
    HealthView { now_ms: 5, subjects, latencies: vec![latency], refused_parameters, warnings: Vec::new() }
}

fn quota(catalog: &Catalog) -> QuotaView {
    let at = Moment { now: Now::of_wall(1_764_000_000_000), total_ms_max: 1, boot_ms: None, slot: None };
    let limits = gateway_core::quota::all(catalog, at);
    let rows: Vec<Row> =
        limits.iter().map(|each| Row { id: each.id.clone(), bucket: each.bucket, spent: each.limit }).collect();
    let learnt = LearntView {
        subject: Subject::parse("credential/c-1").expect("a subject"),
        name: evil(),
        what: evil(),
        per: Some(Span::Day),
        limit: None,
        remaining: Some(3),
        resets_at_ms: Some(9),
        as_of_ms: 1,
        over: false,
    };
    let reported = ReportedLimitView {
        provider: evil(),
        credential: evil(),
        what: evil(),
        currency: Some(evil()),
        per: None,
        models: vec![evil()],
        spent: Some(1),
        limit: None,
        remaining: Some(7),
        as_of_ms: 1,
        source: "https://p.example/limits",
    };
    let shown = limits.iter().zip([&rows[..], &[]].into_iter().cycle());
    let quota = shown.map(|(limit, rows)| LimitView::of(limit, rows, at.now)).collect();
    QuotaView { quota, learnt: vec![learnt], reported: vec![reported] }
}

/// What calls came to whose names attack pages, in the last week and the one before.
fn counted() -> Counted {
    let query = Query::default().with("span", "7d");
    let (period, _) = periods(&query, &TimeZone::UTC, 1_764_000_000_000, &Narrowed::default());
    let sums = |calls| {
        let mut sums = Sums::of_cell([calls, 1, 2, 1, 41_236, 12, 3, 612, 1, 31_000_000, 1, 9_000]);
        sums.add(&Sums::of_first(bucket(Some(900)), calls));
        sums
    };
    let series = |name: Option<String>, calls| SeriesSums {
        key: name.clone(),
        model: name.clone(),
        provider: name.clone(),
        upstream_model: name.clone(),
        credential: name.clone(),
        client: name,
        sums: sums(calls),
    };
    let many = (0..9).map(|index| series(Some(format!("{EVIL}{index}")), index + 3));
    let by_series = many.chain([series(Some(evil()), 90), series(None, 4)]).collect();
    let by_step = (0..168).step_by(5).map(|span| SpanSums { span, sums: sums(4) }).collect();
    Counted { period, by_step, by_series, calls_before: 70 }
}

/// The values of an attribute, unescaped.
fn values(html: &str, attribute: &str) -> Vec<String> {
    let before = format!(" {attribute}=\"");
    let quoted = html.split(&before).skip(1).filter_map(|rest| rest.split('"').next());
    quoted.map(|value| value.replace("&#38;", "&").replace("&amp;", "&")).collect()
}

#[test]
fn every_page_escapes_every_value() {
    for (here, html) in every_page() {
        for raw in ["<img", "<script>alert", "onerror=alert(1)>", "\"'>", "49javascript"] {
            assert!(!html.contains(raw), "{here}: {raw}");
        }
        assert!(!html.is_empty() && html.contains("</html>"), "{here}");
    }
}

#[test]
fn no_page_has_a_script_a_style_or_a_handler_in_it() {
    for (here, html) in every_page() {
        assert_eq!(html.matches("<script").count(), 1, "{here}");
        assert!(html.contains("<script type=\"module\" src="), "{here}");
        for word in ["<style", " style=", " onclick=", "javascript:\"", "srcdoc"] {
            assert!(!html.contains(word), "{here}: {word}");
        }
    }
}

#[test]
fn every_link_is_relative_and_leads_to_something() {
    for (here, html) in every_page() {
        let links = ["href", "src", "action", "formaction"].iter().flat_map(|attribute| values(&html, attribute));
        for link in links {
            if link.starts_with("https://") && here == "quota" {
                // Where a limit was published.
                continue;
            }
            assert!(!link.starts_with('/') && !link.contains("//"), "{here}: {link}");
            let path = link.split(['?', '#']).next().unwrap_or_default();
            let base: Vec<&str> = here.split('?').next().unwrap_or_default().split('/').collect();
            let up = path.matches("../").count();
            let bare = path.replace("../", "").replace("./", "");
            assert!(up < base.len(), "{here}: {link} leaves the console");
            let below = base.iter().take(base.len() - 1 - up).map(|step| format!("{step}/")).collect::<String>();
            let path = format!("{below}{bare}");
            if let Some(anchor) = link.strip_prefix('#') {
                assert!(html.contains(&format!("id=\"{anchor}\"")), "{here}: {link}");
                continue;
            }
            let found = ["GET", "POST"].map(|method| routes::find(method, &path));
            let is_page = found.iter().any(|found| matches!(found, Found::Page(..)));
            assert!(is_page, "{here}: {link} leads to {path:?}");
            if let Some(asset) = path.strip_prefix("assets/") {
                assert!(assets::find(asset).is_some(), "{here}: {link}");
            }
        }
    }
}

#[test]
fn every_drawing_that_a_page_names_is_there() {
    let icons = assets::find(&format!("{}/icons.svg", assets::HASH)).expect("the drawings");
    let icons = String::from_utf8(crate::pack::unpack(icons.packed).expect("gzip")).expect("text");
    for (here, html) in every_page() {
        for link in values(&html, "href").iter().filter_map(|link| link.split_once("icons.svg#")) {
            assert!(icons.contains(&format!("id=\"{}\"", link.1)), "{here}: {}", link.1);
        }
    }
}

#[test]
fn no_id_stands_twice_on_a_page() {
    for (here, html) in every_page() {
        let mut ids = values(&html, "id");
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count, "{here}");
    }
}

#[test]
fn a_page_is_small() {
    let frame = frame(Reader::Admin, Language::English, "records");
    let many = (0..50).map(|_| record("ok", vec![attempt("rate", 10), attempt("ok", 220)]));
    let view = RecordsView {
        records: many.map(|record| RecordView { model: Some("qwen3-coder".into()), ..record }).collect(),
        next: None,
        looked: None,
    };
    let counted = counted();
    let figures = (None, Some(&counted));
    let page = html(&RecordsPage::of(&frame, &Query::default(), &view, Suggested::default(), figures));
    let packed = crate::pack::pack(page.as_bytes()).expect("gzip");
    assert!(packed.len() < 60_000, "{} bytes, {} gzipped", page.len(), packed.len());
}

#[test]
fn the_overview_is_small_and_begins_with_what_is_free() {
    let (catalog, counted) = (catalog(), counted());
    let (health, mut quota) = (health(&catalog), quota(&catalog));
    let text = |quota: &QuotaView, counted: &Counted| {
        let frame = frame(Reader::Admin, Language::English, "overview");
        html(&OverviewPage::of(
            &frame,
            &catalog,
            (&health, quota),
            (&Query::default(), counted),
            &records()[..10],
            "http://a",
        ))
    };
    assert!(!text(&quota, &counted).contains("free calls left"), "nothing is said to be free");
    for limit in quota.quota.iter_mut().filter(|limit| limit.name == "rpd").take(1) {
        (limit.free, limit.limit, limit.spent) = (true, 2000, 1120);
    }
    let page = text(&quota, &counted);
    assert!(page.contains("free calls left, of 2,000") && page.contains("<span class=\"big\">880</span>"), "{page}");
    let packed = crate::pack::pack(page.as_bytes()).expect("gzip");
    assert!(packed.len() < 60_000, "{} bytes, {} gzipped", page.len(), packed.len());
    for unit in &mut quota.quota {
        unit.free = false;
    }
    let money =
        quota.quota.iter().any(|limit| limit.unit == "nano-dollars" && quota::provider_of(&limit.scope).is_some());
    assert!(!money && text(&quota, &counted).contains("calls in 24 h"), "neither free calls nor money: calls");
}

#[test]
fn a_holder_sees_nothing_of_credentials_other_targets_and_addresses() {
    let secrets = ["label-x", "egress-x", "203.0.113.9", "left-out-x", "never-needed-x", "words-x", "note-x"];
    let mut record = record("ok", vec![attempt("rate", 1), attempt("ok", 2)]);
    record.client = Some(secrets[2].into());
    record.warnings = Some(StoredJson::Read(vec![secrets[6].into()]));
    if let (Some(StoredJson::Read(attempts)), Some(StoredJson::Read(decision))) =
        (&mut record.attempts, &mut record.decision)
    {
        for attempt in attempts {
            attempt.credential = Some(secrets[0].into());
            attempt.egress = Some(secrets[1].into());
            attempt.error = Some(secrets[5].into());
        }
        decision.skipped[0].target = secrets[3].into();
        decision.candidates.push(secrets[4].into());
    }
    let page = |reader: Reader, record: &RecordView| {
        let frame = frame(reader, Language::English, "records/x");
        let view = RecordsView { records: Vec::new(), next: None, looked: None };
        let list = html(&RecordsPage::of(&frame, &Query::default(), &view, Suggested::default(), (None, None)));
        list + &html(&RecordPage::of(&frame, record, &StoredBodies::Hidden, &Query::default()))
    };
    let all = page(Reader::Admin, &record);
    let holder = Reader::Holder("k".into());
    let own = page(holder.clone(), &seen_by(&holder, record));
    for secret in secrets {
        assert!(all.contains(secret), "the admin sees {secret}");
        assert!(!own.contains(secret), "a holder sees {secret}");
    }
}

#[test]
fn a_holder_is_shown_the_calls_of_its_own_key_whatever_it_asks_for() {
    let query = Query::parse("key=other&client=x&model=m&span=1h").expect("a query");
    let (shown, filter) = filter(&query, &Reader::Holder("k".into()), 7_200_000).expect("a filter");
    assert_eq!((filter.key.as_deref(), filter.client, filter.model.as_deref()), (Some("k"), None, Some("m")));
    assert_eq!((filter.since_ms, shown.text().as_str()), (Some(3_600_000), "model=m&span=1h"));
    let (_, filter) = super::filter(&query, &Reader::Admin, 0).expect("a filter");
    assert_eq!(filter.key.as_deref(), Some("other"));
    let query = Query::parse("not_key=other&not_client=x&not_model=m").expect("a query");
    let (shown, filter) = super::filter(&query, &Reader::Holder("k".into()), 0).expect("a filter");
    assert_eq!((filter.not.key, filter.not.client, shown.text().as_str()), (None, None, "not_model=m"));
    assert!(super::filter(&Query::parse("state=odd").expect("a query"), &Reader::Admin, 0).is_err());
}

#[test]
fn calls_are_counted_where_cells_tell_them_apart() {
    let period = |query: &str| {
        let query = Query::parse(query).expect("a query");
        let (_, filter) = super::filter(&query, &Reader::Holder("k".into()), 1_764_000_000_000).expect("a filter");
        let period = countable(&filter, &TimeZone::UTC, 1_764_000_000_000)?;
        Some((period.spans().len(), period.narrowed.key, period.narrowed.model))
    };
    let (key, model) = (Some("k".to_owned()), Some("m".to_owned()));
    assert_eq!(period(""), Some((25, key.clone(), None)));
    assert_eq!(period("span=1h&model=m"), Some((61, key.clone(), model)));
    assert_eq!(period("span=30d").map(|found| found.0), Some(31));
    assert_eq!(period("since=1763999000000").map(|found| found.0), Some(18));
    for query in ["session=s", "q=x", "slow=true", "tried=p", "not_model=m", "status=200", "streamed=true"] {
        assert_eq!(period(query), None, "{query}");
    }
}

#[test]
fn what_a_record_says_fits_how_the_call_went() {
    let text = |record: RecordView| {
        let frame = frame(Reader::Admin, Language::English, "records/x");
        html(&RecordPage::of(&frame, &record, &StoredBodies::Gone(Gone::Off), &Query::default()))
    };
    let after_one = text(record("ok", vec![attempt("rate", 10), attempt("ok", 790)]));
    assert!(after_one.contains("after one try that failed. The client noticed nothing but 790 ms."), "{after_one}");
    assert!(text(record("ok", vec![attempt("ok", 1)])).contains("the first it was sent to."));
    assert!(
        text(record("upstream_error", vec![attempt("target", 1), attempt("target", 2)]))
            .contains("Nobody answered, after 2 tries.")
    );
    assert!(text(record("quota_spent", Vec::new())).contains("It was sent to nobody."));
    assert!(text(record("upstream_reset", vec![attempt("ok", 1)])).contains("had begun to answer when it ended."));
    assert!(text(record("ok", vec![attempt("ok", 1)])).contains("Left out: A quota is spent."));
}

fn shown_bodies(bodies: Vec<KeptBody>, view: &str) -> String {
    let record = record("ok", vec![attempt("ok", 3)]);
    let frame = frame(Reader::Admin, Language::English, "records/x");
    html(&RecordPage::of(&frame, &record, &StoredBodies::Kept(bodies), &Query::default().with("view", view)))
}

#[test]
fn what_was_said_is_read_as_a_conversation_and_as_it_stands() {
    let (request, answer) = talk("words");
    let bodies =
        || vec![body(What::Request, "openai-chat", request.clone()), body(What::Answer, "openai-chat", answer.clone())];
    let page = shown_bodies(bodies(), "");
    for part in [
        "System</b>",
        "User</b>",
        "Assistant</b>",
        "Tool</b>",
        "Answer</b>",
        "Ended with length.",
        "A picture, which is not kept",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(page.contains("Cut at 1 MiB") && page.contains("Delete what was said"), "{page}");
    let raw = shown_bodies(bodies(), "request");
    assert!(raw.contains("&#34;messages&#34;") && raw.contains("what=request") && !raw.contains("User</b>"), "{raw}");
    assert!(
        shown_bodies(vec![body(What::Request, "openai-chat", "no JSON".into())], "")
            .contains("cannot be read as a conversation")
    );
}

#[test]
fn however_much_was_said_the_page_stays_small() {
    let turn = json!({ "role": "user", "content": "<said> 说 ".repeat(2_000) });
    let request = json!({ "messages": vec![turn; 40] }).to_string();
    for view in ["", "request"] {
        let page = shown_bodies(vec![body(What::Request, "openai-chat", request.clone())], view);
        assert!(page.len() < 60_000, "{view}: {}", page.len());
        assert!(page.contains("more bytes"), "{view}");
    }
    assert!(
        shown_bodies(vec![body(What::Request, "openai-chat", request)], "")
            .contains("earlier turns stand in the request")
    );
}
