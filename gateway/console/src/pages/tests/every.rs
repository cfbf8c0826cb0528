//! Every page, with the address it stands at.

use gateway_core::views::{AmountsView, PricesView, WaitingPriceView};

use super::*;

/// Adds a page at an address.
type Add<'a> = dyn FnMut(&str, &dyn Fn(&Frame) -> String) + 'a;

/// Every page there is, with the address it stands at, for every reader and in every language.
pub(super) fn every_page() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for language in [Language::English, Language::Chinese] {
        for reader in READERS {
            let mut add = |here: &str, page: &dyn Fn(&Frame) -> String| {
                pages.push((here.to_owned(), page(&frame(reader(), language, here))));
            };
            front_pages(&mut add);
            record_pages(&mut add, &reader());
            state_pages(&mut add);
            settings_pages(&mut add);
        }
    }
    pages
}

/// The pages before signing in, and those about errors.
fn front_pages(add: &mut Add<'_>) {
    add("sign-in?next=a", &|frame| html(&SignInPage::of(frame, "records?model=a%22", Some(SignInError::Unknown))));
    add("sign-in", &|frame| html(&SignInPage::of(frame, EVIL, Some(SignInError::Wait(9)))));
    add("enter?link=x", &|frame| html(&EnterPage::of(frame, EVIL)));
    add("nothing/here", &|frame| html(&ErrorPage::of(frame, &Refusal::not_found("x", EVIL))));
    add("records/x", &|frame| html(&ErrorPage::of(frame, &Refusal::unavailable("x", EVIL))));
}

/// The pages about records and the sessions of clients.
fn record_pages(add: &mut Add<'_>, reader: &Reader) {
    let query = [
        "model",
        "key",
        "state",
        "since",
        "span",
        "streamed",
        "client",
        "before",
        "q",
        "tried",
        "slow",
        "failed_over",
        "not_model",
        "not_state",
    ];
    let query = query.iter().fold(Query::default(), |query, name| query.with(name, EVIL));
    let found = |next: Option<&str>| RecordsView {
        records: records(),
        next: next.map(str::to_owned),
        looked: Some(LookedView { calls: 20_000, back_to_ms: 9 }),
    };
    let suggested = || Suggested { models: vec![evil()], providers: vec![evil()], keys: vec![evil()] };
    let here = query.link("records");
    add(&here, &|frame| {
        html(&RecordsPage::of(frame, &query, &found(Some(EVIL)), suggested(), (None, Some(&counted()))))
    });
    let none = RecordsView { records: Vec::new(), next: None, looked: None };
    add("records", &|frame| html(&RecordsPage::of(frame, &query, &none, suggested(), (Some(1), None))));
    add("records", &|frame| html(&RecordsPage::of(frame, &Query::default(), &none, suggested(), (None, None))));
    let session = || ConversationView {
        session: evil(),
        key: Some(evil()),
        user_agent: Some(evil()),
        models: vec![evil(), evil()],
        providers: vec![evil()],
        calls: 3,
        input_tokens: 7,
        ..ConversationView::default()
    };
    let looked = || Some(LookedView { calls: 20_000, back_to_ms: 9 });
    let sessions = ConversationsView { sessions: vec![session(), session()], looked: looked() };
    add("sessions", &|frame| html(&ConversationsPage::of(frame, &sessions)));
    add("sessions", &|frame| html(&ConversationsPage::of(frame, &ConversationsView::default())));
    for record in records() {
        let record = seen_by(reader, record);
        add("records/a%2Fb", &|frame| html(&RecordPage::of(frame, &record, &StoredBodies::Hidden, &Query::default())));
    }
    body_pages(reader, add);
}

/// A body of this sort, in this dialect.
pub(super) fn body(what: What, dialect: &str, text: String) -> KeptBody {
    let (provider, model) = (Some(evil()), Some(evil()));
    KeptBody {
        what,
        dialect: dialect.into(),
        provider,
        model,
        bytes: 2 << 20,
        cut: true,
        merged: true,
        broken: true,
        text,
    }
}

/// A conversation of everything that can be said.
pub(super) fn talk(text: &str) -> (String, String) {
    let request = json!({ "model": text, "messages": [
        { "role": "system", "content": text },
        { "role": "user", "content": [{ "type": "text", "text": text }, { "type": "image_url", "image_url": { "url": text } },
            { "type": "file", "file": { "filename": text, "file_data": "data:application/pdf;base64,AA" } }] },
        { "role": "assistant", "tool_calls": [{ "id": text, "type": "function", "function": { "name": text, "arguments": text } }] },
        { "role": "tool", "tool_call_id": text, "content": text },
    ], "tools": [{ "type": "function", "function": { "name": text } }] });
    let message = json!({ "role": "assistant", "reasoning_content": text, "content": text, "refusal": text });
    let answer = json!({ "choices": [{ "finish_reason": "length", "message": message }] });
    (request.to_string(), answer.to_string())
}

/// The part of a record's page about what was said, in every state and view.
fn body_pages(reader: &Reader, add: &mut Add<'_>) {
    let record = seen_by(reader, record("ok", vec![attempt("ok", 3)]));
    let (request, answer) = talk(EVIL);
    let kept = |dialect: &str| {
        StoredBodies::Kept(vec![
            body(What::Request, dialect, request.clone()),
            body(What::Sent, dialect, evil()),
            body(What::Answer, dialect, answer.clone()),
            body(What::Events, dialect, evil()),
        ])
    };
    let gone = [Gone::Off, Gone::Dropped, Gone::Expired, Gone::Deleted, Gone::Sealed].map(StoredBodies::Gone);
    let own = KeptBody { provider: None, model: None, ..body(What::Answer, EVIL, String::new()) };
    let all = [
        kept("openai-chat"),
        kept(EVIL),
        StoredBodies::Kept(vec![own]),
        StoredBodies::Kept(Vec::new()),
        StoredBodies::Unread,
    ];
    for bodies in all.iter().chain(&gone) {
        for view in ["", "request", "sent", "answer", "events", EVIL] {
            let query = Query::default().with("view", view);
            add("records/a%2Fb", &|frame| html(&RecordPage::of(frame, &record, bodies, &query)));
        }
    }
}

/// The pages about how things are.
fn state_pages(add: &mut Add<'_>) {
    let catalog = catalog();
    let (health, quota) = (health(&catalog), quota(&catalog));
    let nothing = HealthView {
        now_ms: 0,
        subjects: Vec::new(),
        latencies: Vec::new(),
        refused_parameters: Vec::new(),
        warnings: Vec::new(),
    };
    let unlimited = QuotaView { quota: Vec::new(), learnt: Vec::new(), reported: Vec::new() };
    let empty = Catalog::built_in();
    let names = vec![evil(), "n".to_owned()];
    let url = "https://llm.example/\"><script>alert(1)</script>";
    let counted = counted();
    let none_yet = Query::default();
    for show in ["", "calls", "failed_over", "not_served", "first", "tokens", "cost", EVIL] {
        let query = Query::default().with("show", show).with("span", "7d");
        let here = query.link("overview");
        add(&here, &|frame| {
            html(&OverviewPage::of(frame, &catalog, (&health, &quota), (&query, &counted), &records(), url))
        });
    }
    add("overview", &|frame| {
        html(&OverviewPage::of(frame, &catalog, (&health, &unlimited), (&none_yet, &counted), &records(), url))
    });
    add("overview", &|frame| {
        html(&OverviewPage::of(frame, &empty, (&nothing, &unlimited), (&none_yet, &counted), &[], url))
    });
    let calls = |by| Calls::by(by, &counted.by_series);
    let (of_models, of_keys) = (calls(By::Model), calls(By::Key));
    let of_providers = (&calls(By::Provider), &calls(By::Credential));
    add("quota", &|frame| html(&QuotaPage::of(frame, &quota)));
    add("quota", &|frame| html(&QuotaPage::of(frame, &unlimited)));
    let calls = (&of_models, &of_keys, of_providers);
    catalog_pages(add, (&catalog, &empty), (&health, &nothing), calls);
    add("connect", &|frame| html(&ConnectPage::of(frame, url, &names, Some("n"))));
    add("playground", &|frame| html(&PlaygroundPage::of(frame, &names, &["laptop", EVIL], Some("n"))));
    add("playground?model=x", &|frame| html(&PlaygroundPage::of(frame, &[], &[], Some(EVIL))));
    add("connect?model=x", &|frame| html(&ConnectPage::of(frame, url, &[], Some(EVIL))));
    let kept = KeptOfKeyView { record_bodies: "errors", most: "all", days: 7, see_bodies: true };
    let me = |frame: &Frame, of_key: (&[LimitView], &[String])| {
        html(&MePage::of(frame, &catalog.keys[0], of_key, (&none_yet, &counted), (30, &kept), &Editing::default()))
    };
    add("me", &|frame| me(frame, (&quota.quota, &names)));
    add("me", &|frame| me(frame, (&[], &[])));
}

/// Prices of the operator's own, whose every text is evil.
fn prices() -> PricesView {
    let amounts = AmountsView { input: 1.0, cache_read: 0.0, cache_write: 1.0, output: 2.0 };
    let evil = || EVIL.to_owned();
    let waiting = WaitingPriceView { provider: evil(), model: evil(), now: amounts, new: amounts };
    PricesView {
        origin: Some(evil()),
        version: Some(evil()),
        taken_at_ms: Some(1),
        asked_at_ms: Some(1),
        problem: Some(evil()),
        models: 1,
        waiting: vec![waiting],
    }
}

/// The settings, in every state of their forms.
fn settings_pages(add: &mut Add<'_>) {
    let catalog = catalog();
    let url = "https://llm.example/\"><script>alert(1)</script>";
    let session = |key: Option<&str>| SessionView {
        id: evil(),
        key: key.map(str::to_owned),
        at_ms: 1,
        until_ms: 2,
        client: Some(evil()),
        user_agent: Some(evil()),
    };
    let sessions = SessionsView { sessions: vec![session(None), session(Some(EVIL))] };
    let written = serde_json::json!({ "zone": EVIL, "retention_days": 7, "trusted_proxies": [EVIL] });
    let refusals = refusals();
    let prices = prices();
    let stored = Stored { version: 3, file_sections: vec![EVIL], public_url: Some(url), prices: &prices };
    for editing in every_editing(&refusals) {
        let settings = (&stored, written.as_object().expect("a table"));
        add("settings", &|frame| html(&SettingsPage::of(frame, &catalog, settings, &sessions, &editing)));
    }
}

/// What forms may have to report: nothing, that something was saved, that the file is the place to edit, and why a form
/// was refused.
fn refusals() -> Vec<(Query, Refusal)> {
    let problems = ["models[0].targets[0].weight", "settings.zone", EVIL];
    let problems = problems.map(|path| Problem::new(path, EVIL)).to_vec();
    let invalid = Refusal::invalid_catalog(Problems(problems));
    let forms =
        ["model", "target-0", "add", "new", "provider", "credential-0", "add-provider", "key", "settings", "restore"];
    let sent = |form: &str| {
        let values = ["name", "weight", "tier", "model", "credentials", "zone"]
            .map(|name| format!("{name}={}", encode_parameter(EVIL)));
        Query::parse(&format!("form={form}&base=%221%22&{}", values.join("&"))).expect("a form")
    };
    let stale = Refusal::precondition_failed(EVIL);
    let mut all: Vec<(Query, Refusal)> = forms.iter().map(|form| (sent(form), invalid.clone())).collect();
    all.extend(["target-0", "settings"].map(|form| (sent(form), stale.clone())));
    all.push((sent("add"), Refusal::conflict(EVIL)));
    all
}

fn every_editing(refusals: &[(Query, Refusal)]) -> Vec<Editing<'_>> {
    let changes = || {
        let differences = [
            Difference::Added { value: Some(evil()) },
            Difference::Removed { value: None },
            Difference::Changed { before: evil(), after: evil() },
            Difference::SecretGiven,
        ];
        differences.into_iter().map(|difference| Change { path: evil(), difference }).collect()
    };
    let mut all = vec![
        Editing { etag: EVIL, ..Editing::default() },
        Editing { etag: EVIL, saved: Some(7), ..Editing::default() },
        Editing { etag: EVIL, locked: Some(("models", evil())), ..Editing::default() },
    ];
    all.extend(refusals.iter().map(|(sent, refusal)| {
        let refused = Some(Refused { sent, refusal, changes: changes() });
        Editing { etag: EVIL, refused, ..Editing::default() }
    }));
    all
}

/// The pages about what the catalog says, in every state of their forms.
fn catalog_pages(
    add: &mut Add<'_>,
    (catalog, empty): (&Catalog, &Catalog),
    (health, nothing): (&HealthView, &HealthView),
    (of_models, of_keys, of_providers): (&Calls, &Calls, (&Calls, &Calls)),
) {
    let refusals = refusals();
    let document = Document::from_json(catalog_text().as_bytes()).expect("a document");
    let plan = plan();
    let query = Query::parse(&format!("provider={0}&name={0}&to={0}", encode_parameter(EVIL))).expect("a query");
    for editing in every_editing(&refusals) {
        let key = KeyView::of(document.as_json()["keys"][0].as_object().expect("a key"));
        for (plan, health) in [(None, nothing), (Some((&plan, Some(EVIL))), health)] {
            let state = ModelState { document: &document, health, editing: &editing, plan };
            add("models/a%2Fb", &|frame| html(&ModelPage::of(frame, catalog, &catalog.models[0], &state)));
            add("models/n", &|frame| html(&ModelPage::of(frame, catalog, &catalog.models[1], &state)));
        }
        add("models", &|frame| html(&ModelsPage::of(frame, catalog, health, of_models, &editing)));
        add("models", &|frame| html(&ModelsPage::of(frame, empty, nothing, of_models, &editing)));
        add("providers", &|frame| html(&ProvidersPage::of(frame, catalog, health, of_providers, &editing)));
        add("providers", &|frame| html(&ProvidersPage::of(frame, empty, nothing, of_providers, &editing)));
        for (index, tested) in [(0, None), (1, Some((3, 400)))] {
            let provider = &catalog.providers[index];
            add("providers/p", &|frame| {
                html(&ProviderPage::of(frame, catalog, provider, health, of_providers, (&editing, tested)))
            });
        }
        add("add-provider", &|frame| html(&AddProviderPage::of(frame, &editing, None, &query)));
        add("add-provider?to=x", &|frame| html(&AddProviderPage::of(frame, &editing, Some(EVIL), &query)));
        add("keys", &|frame| html(&KeysPage::of(frame, catalog, of_keys, &editing, None)));
        add("keys", &|frame| html(&KeysPage::of(frame, empty, of_keys, &editing, Some((EVIL, EVIL)))));
        add("keys/k", &|frame| html(&KeyPage::of(frame, catalog, &catalog.keys[0], &key, &editing)));
        add("join", &|frame| html(&JoinPage::of(frame, catalog, &query, &editing, None)));
        add("join", &|frame| html(&JoinPage::of(frame, catalog, &query, &editing, Some(&joined()))));
        add("join", &|frame| html(&JoinPage::of(frame, empty, &Query::default(), &editing, None)));
        add("history/3", &|frame| html(&VersionPage::of(frame, &version(3), &editing)));
    }
    add("history/7", &|frame| html(&VersionPage::of(frame, &version(7), &Editing::default())));
    add("history", &|frame| html(&HistoryPage::of(frame, &HistoryView::of(7, vec![change()], 1))));
    add("history", &|frame| html(&HistoryPage::of(frame, &HistoryView::of(0, Vec::new(), 1))));
    add("add-provider", &|frame| {
        let pieces = CheckPieces::of(frame, 3, EVIL);
        let check = |works, is_proven, message: Option<&str>| CredentialCheckView {
            index: 0,
            label: evil(),
            works,
            is_proven,
            status: message.map(|_| 401),
            message: message.map(str::to_owned),
            models: 3,
            latency_ms: 5,
        };
        let rows = [check(true, true, None), check(false, false, None), check(false, true, Some(EVIL))];
        let rows: String = rows.iter().map(|row| CheckPieces::row(frame, row)).collect();
        let entered =
            Query::parse(&format!("preset=groq&name={0}&credentials={0}", encode_parameter(EVIL))).expect("a form");
        let end = CheckPieces::end(frame, EVIL, &entered, &[0], &CheckDoneView::default());
        format!("{}{rows}{end}{}", pieces.first, pieces.last)
    });
}

fn change() -> ChangeView {
    ChangeView { id: 9, at_ms: 5, version: Some(3), client: Some(evil()), user_agent: Some(evil()), action: evil() }
}

fn version(version: u64) -> VersionView {
    let change = || Change { path: evil(), difference: Difference::Hidden };
    let changed = (version == 3).then(|| vec![change()]);
    VersionView { version, current: 7, made: Some(self::change()), changed, restoring: vec![change()] }
}

fn joined() -> JoinPreviewView {
    let target = |provider: &str, tier| JoinedTarget { provider: provider.into(), model: evil(), tier };
    let model = |exists, targets| JoinedModel { name: evil(), exists, targets, kept: 0 };
    let models = vec![model(true, vec![target("p", 1), target("q", 2)]), model(false, vec![target(EVIL, 1)])];
    let plan = JoinPlan { models, vanished: vec![Vanished { model: evil(), target: evil() }] };
    JoinPreviewView { plan, failed: vec![FailedProviderView { provider: evil(), message: evil() }] }
}

fn plan() -> PlanView {
    let skipped = Skipped { target: evil(), reason: SkipReason::Cooling, until_ms: Some(5), message: Some(evil()) };
    let decision = DecisionRecord {
        candidates: vec![evil()],
        tiers: vec![1],
        weights: vec![2],
        strategy: Some(EVIL.into()),
        catalog: Some(7),
        skipped: vec![skipped],
        draw: evil(),
        affinity: None,
        waited_ms: None,
    };
    let candidate = CandidateView {
        target: evil(),
        fallback: Some(evil()),
        tier: 1,
        weight: 2,
        credentials: vec![evil()],
        failing: true,
    };
    let refusal = Some(RefusalView { status: 503, message: evil(), retry_after_s: None });
    PlanView { model: evil(), strategy: "cost", targets: vec![evil()], candidates: vec![candidate], decision, refusal }
}
