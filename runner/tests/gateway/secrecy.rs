//! A stored secret leaves llmio only towards its own provider: not in answers, records, logs or files.

use std::fs;
use std::path::Path;

use crate::common::{Gateway, Host, Request, TOKEN, chat, eventually, streamed_chat, upstream_key};
use crate::upstream::{Answer, Upstream, completion, event};

both_hosts![
    the_admin_token_in_the_query_opens_a_route_and_is_no_parameter,
    secrets_are_sealed_at_rest,
    a_providers_secret_is_in_no_answer_record_or_log,
    a_providers_secret_is_told_on_no_path_and_in_no_spelling,
    the_name_of_the_account_leaves_the_errors_of_its_provider,
    what_an_error_repeats_of_the_prompt_is_not_kept,
    a_client_key_is_in_no_file_and_no_log,
    a_key_in_the_user_agent_is_in_no_record_and_reaches_no_origin,
    without_the_master_key_sealed_secrets_are_missing_and_said_so,
];

/// Whether any file below the folder holds these bytes.
fn is_on_disk(folder: &Path, needle: &str) -> bool {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let holds = |path: &Path| {
        // A journal may go while it is looked at.
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
    };
    entries.into_iter().any(|path| if path.is_dir() { is_on_disk(&path, needle) } else { holds(&path) })
}

fn secrets_are_sealed_at_rest(host: Host) {
    let upstream = Upstream::saying("Hi");
    let header = format!(
        "[[providers]]\nname = \"sealed-provider\"\nbase_url = \"{}\"\nlocal = true\n\
         headers = {{ x-secret = {{ value = \"header-c4n4ry-9\" }} }}\ncredentials = [{{ value = \"sk-c4n4ry-8\" }}]\n",
        upstream.url()
    );
    let mut gateway = Gateway::on(host).catalog(&header).model("m", &["sealed-provider/up"]).start();
    let response = gateway.send(&chat("m"));
    gateway.record(&response);
    let received = upstream.only();
    assert_eq!(received.header("x-secret"), Some("header-c4n4ry-9"));
    assert_eq!(received.header("authorization"), Some("Bearer sk-c4n4ry-8"));
    gateway.restart();
    let data = gateway.data();
    assert!(is_on_disk(&data, "sealed-provider"), "the catalog is not where this test looks");
    assert!(!is_on_disk(&data, "c4n4ry"), "a secret stands on the disk in the clear");
    assert_eq!(gateway.send(&chat("m")).status, 200, "what is sealed can be opened");
}

fn a_providers_secret_is_in_no_answer_record_or_log(host: Host) {
    let key = upstream_key("a");
    let echo = format!(r#"{{"error":{{"message":"Incorrect API key provided: {key}"}}}}"#);
    let gone = Answer::whole(403, "content-type: text/html", &format!("<h1>{key}</h1>"));
    let upstream = Upstream::saying("Hi").then([Answer::json(401, &echo), gone, Answer::json(402, &echo)]);
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let mut texts = Vec::new();
    let mut connection = gateway.connect();
    for request in [chat("m"), streamed_chat("m"), chat("m"), chat("m"), chat("nobody"), chat("m").body("{")] {
        // A refused credential rests; here it is to be sent again and again.
        connection.exchange(&Request::new("POST", "/api/health/reset").key(TOKEN).json("{}"));
        let response = connection.exchange(&request);
        texts.push(format!("{:?} {}", response.headers, response.text()));
        texts.push(gateway.record(&response).to_string());
    }
    for path in ["/api/catalog", "/api/records", "/api/keys", "/api/health", "/readyz"] {
        texts.push(gateway.admin("GET", path, "").text());
    }
    texts.push(gateway.log());
    texts.push(gateway.stdout());
    assert_eq!(upstream.received().len(), 4);
    for text in texts {
        assert!(!text.contains("c4n4ry"), "the provider's secret is told: {text}");
        assert!(!text.contains(TOKEN), "the admin token is told: {text}");
    }
}

fn a_providers_secret_is_told_on_no_path_and_in_no_spelling(host: Host) {
    // `Bearer ` and the key of the provider `a`.
    const IN_BASE64: &str = "QmVhcmVyIHNrLXVwc3RyZWFtLWEtYzRuNHJ5";
    let key = upstream_key("a");
    let headers = format!("content-type: application/json\r\nx-debug: Bearer {key}\r\nlocation: /?key={key}");
    let error = |secret: &str| format!(r#"{{"error":{{"message":"bad key {secret}"}}}}"#);
    let in_event = |secret: &str| format!("data: {}\n\n", error(secret));
    let (start, end) = key.split_at(9);
    let stream = || Answer::stream().chunk(event("Hi"));
    let answers = [
        Answer::whole(200, &headers, &completion("Hi")),
        Answer::whole(307, &headers, ""),
        Answer::json(500, &error(&key.replace('-', r"\u002d"))),
        Answer::json(400, &error(&key.replace('-', "%2D"))),
        Answer::json(400, &error(IN_BASE64)),
        Answer::json(200, &error(&key)),
        Answer::json(200, &completion(&format!("your key is {key}"))),
        stream().chunk(in_event(&key)).end(),
        stream().chunk(in_event(&key.replace('k', r"\u006b"))).end(),
        stream()
            .chunk(format!("data: {{\"error\":{{\"message\":\"bad key {start}"))
            .wait()
            .chunk(format!("{end}\"}}}}\n\n"))
            .end(),
    ];
    let count = answers.len();
    let upstream = Upstream::saying("Hi").then(answers);
    upstream.release();
    let gateway = Gateway::on(host).provider("a", &upstream).model_with("m", "attempts = 1", &["a/up"]).start();
    let mut texts = Vec::new();
    for index in 0..count {
        gateway.admin("POST", "/api/health/reset", "{}");
        let response = gateway.send(&if index < 7 { chat("m") } else { streamed_chat("m") });
        texts.push(format!("{:?} {}", response.headers, response.text()));
        texts.push(gateway.record(&response).to_string());
        texts.push(gateway.admin("GET", "/api/health", "").text());
    }
    texts.push(gateway.log());
    assert_eq!(upstream.received().len(), count);
    let written = [key.clone(), key.replace('-', r"\u002d"), key.replace('-', "%2D"), key.replace('k', r"\u006b")];
    for text in texts {
        let is_told = |written: &str| text.contains(written) || text.contains(&written.replace('\\', r"\\"));
        assert!(!written.iter().any(|written| is_told(written)), "the provider's secret is told: {text}");
        assert!(!text.contains(&IN_BASE64[12..30]), "the provider's secret is told: {text}");
    }
}

fn the_name_of_the_account_leaves_the_errors_of_its_provider(host: Host) {
    let limited = r#"{"error":{"message":"Rate limit reached in organization org-AbCdEf0123456789 on requests"}}"#;
    let upstream = Upstream::answering(Answer::json(429, limited));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let response = gateway.send(&chat("m"));
    let record = gateway.record(&response).to_string();
    let health = eventually("every instance knows of it", || {
        let health = gateway.admin("GET", "/api/health", "").text();
        health.contains("Rate limit reached").then_some(health)
    });
    for text in [response.text(), record, health] {
        assert!(text.contains("Rate limit reached in organization (account)"), "{text}");
        assert!(!text.contains("AbCdEf"), "{text}");
    }
}

fn what_an_error_repeats_of_the_prompt_is_not_kept(host: Host) {
    const PROMPT: &str = "my-private-prompt-c4n4ry-0123456789";
    let error = |message: &str| format!(r#"{{"error":{{"message":"{message}","type":"odd"}}}}"#);
    let large = format!("{PROMPT} {}", "and so on ".repeat(2000));
    let stream =
        || Answer::stream().chunk(event("Hi")).chunk(format!("data: {}\n\n", error(&format!("blocked: {PROMPT}"))));
    let cases = [
        (Answer::json(400, &error(&format!("Invalid value: '{PROMPT}'"))), PROMPT, false),
        (Answer::json(500, &error(&format!(r#"failed on \"{PROMPT}\""#))), PROMPT, false),
        (Answer::json(503, &error(&format!("overloaded by {PROMPT}"))), PROMPT, false),
        (Answer::json(429, &format!(r#"{{"detail":[{{"input":"{PROMPT}"}}]}}"#)), PROMPT, false),
        (Answer::whole(502, "content-type: text/html", &format!("<p>{PROMPT}</p>")), PROMPT, false),
        (stream().end(), PROMPT, true),
        (stream().end(), &large, true),
    ];
    let upstream = Upstream::saying("Hi");
    let upstream = cases.iter().fold(upstream, |upstream, (answer, ..)| upstream.then([answer.clone()]));
    let mut gateway = Gateway::on(host).provider("a", &upstream).model_with("m", "attempts = 1", &["a/up"]).start();
    for (_, prompt, streamed) in &cases {
        gateway.admin("POST", "/api/health/reset", "{}");
        let messages = serde_json::json!([{ "role": "user", "content": prompt }]);
        let body = serde_json::json!({ "model": "m", "stream": streamed, "messages": messages }).to_string();
        let response = gateway.send(&chat("m").body(body));
        let texts = [gateway.record(&response).to_string(), gateway.admin("GET", "/api/health", "").text()];
        assert!(!texts.iter().any(|text| text.contains("c4n4ry")), "{texts:?}");
    }
    gateway.restart();
    assert!(!is_on_disk(&gateway.data(), PROMPT) && !gateway.log().contains(PROMPT));
}

fn the_admin_token_in_the_query_opens_a_route_and_is_no_parameter(host: Host) {
    let gateway = Gateway::on(host).start();
    gateway.record(&gateway.send(&chat("demo")));
    let read = |target: &str| gateway.send(&Request::new("GET", target));
    let catalog = read(&format!("/api/catalog?key={TOKEN}"));
    assert_eq!((catalog.status, &catalog.json()["models"][0]["name"]), (200, &"demo".into()), "{}", catalog.text());
    assert_eq!(read(&format!("/api/catalog?key={TOKEN}&with_secrets=true")).status, 200);
    let records =
        |query: &str| read(&format!("/api/records?{query}&key={TOKEN}")).json()["records"].as_array().map(Vec::len);
    assert_eq!(records("limit=5"), Some(1), "the token is no key's name");
    assert_eq!(records("key=laptop"), Some(0), "another is");
    let refused = gateway.admin("GET", "/api/catalog?key=sk-another-secret", "");
    assert!(refused.status == 400 && !refused.text().contains("sk-another"), "{}", refused.text());
}

fn a_client_key_is_in_no_file_and_no_log(host: Host) {
    let mut gateway = Gateway::on(host).start();
    let key = gateway.new_key("laptop", &[]);
    let in_query = Request::new("POST", &format!("/v1/chat/completions?key={key}"));
    let response = gateway.send(&in_query.json(r#"{"model":"demo"}"#));
    assert_eq!(response.status, 200, "{}", response.text());
    gateway.record(&response);
    gateway.restart();
    assert!(is_on_disk(&gateway.data(), "laptop"), "the keys are not where this test looks");
    assert!(!is_on_disk(&gateway.data(), &key), "a key stands on the disk in the clear");
    assert!(!gateway.log().contains(&key) && !gateway.stdout().contains(&key), "a key stands in the log");
}

fn a_key_in_the_user_agent_is_in_no_record_and_reaches_no_origin(host: Host) {
    let origin = Upstream::saying("Hi");
    let relay = format!("[[relays]]\nname = \"r\"\norigin = \"{}\"\nlocal = true\n", origin.url());
    let gateway = Gateway::on(host).provider("a", &origin).model("m", &["a/up"]).catalog(&relay).start();
    let key = gateway.new_key("laptop", &[]);
    let agent = format!("app/1.2 ({key}; sk-proj-w4nd3r0123456789; {TOKEN})");
    let relayed = Request::new("POST", "/relay/r/v1/x").header("x-llmio-key", &key).body("{}");
    let admin = chat("m").header("user-agent", &agent);
    for request in [admin, chat("m").key(&key).header("user-agent", &agent), relayed.header("user-agent", &agent)] {
        let response = gateway.send(&request);
        let record = gateway.record(&response);
        let text = format!("{record} {:?}", origin.received().last().expect("it arrived").headers);
        assert!(!text.contains(&key) && !text.contains("w4nd3r"), "{text}");
        assert!(record["user_agent"].as_str().is_some_and(|kept| kept.starts_with("app/1.2 ((key); (key); ")));
    }
    let relayed = origin.received().pop().expect("the last one");
    assert!(relayed.header("user-agent").is_some_and(|agent| !agent.contains(TOKEN)), "{:?}", relayed.headers);
}

fn without_the_master_key_sealed_secrets_are_missing_and_said_so(host: Host) {
    let upstream = Upstream::saying("Hi");
    let mut gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let before = gateway.admin("GET", "/api/catalog", "").json();
    fs::write(gateway.data().join("master.key"), "another-master-key-of-32-letters").expect("a file");
    gateway.restart();
    let ready = gateway.send(&Request::new("GET", "/readyz"));
    assert_eq!((ready.status, &ready.json()["status"]), (200, &"degraded".into()));
    assert!(ready.text().contains("provider a, credential #1"), "{}", ready.text());
    let response = gateway.send(&chat("m"));
    assert_eq!((response.status, upstream.received().len()), (400, 0), "{}", response.text());
    assert_eq!(response.openai_error().code, "no_usable_provider");
    assert_eq!(gateway.admin("GET", "/api/catalog", "").json(), before, "nothing may be overwritten");
}
