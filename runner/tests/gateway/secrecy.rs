//! A stored secret leaves llmio only towards its own provider: not in answers, records, logs or files.

use std::fs;
use std::path::Path;

use crate::common::{Gateway, Host, Request, TOKEN, chat, streamed_chat, upstream_key};
use crate::upstream::{Answer, Upstream};

both_hosts![
    the_admin_token_in_the_query_opens_a_route_and_is_none_of_its_parameters,
    secrets_are_sealed_at_rest,
    a_providers_secret_is_in_no_answer_record_or_log,
    a_client_key_is_in_no_file_and_no_log,
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
    let mut told = Vec::new();
    let mut connection = gateway.connect();
    for request in [chat("m"), streamed_chat("m"), chat("m"), chat("m"), chat("nobody"), chat("m").body("{")] {
        // A refused credential rests; here it is to be sent again and again.
        connection.exchange(&Request::new("POST", "/api/health/reset").key(TOKEN).json("{}"));
        let response = connection.exchange(&request);
        told.push(format!("{:?} {}", response.headers, response.text()));
        told.push(gateway.record(&response).to_string());
    }
    for path in ["/api/catalog", "/api/records", "/api/keys", "/api/health", "/readyz"] {
        told.push(gateway.admin("GET", path, "").text());
    }
    told.push(gateway.log());
    told.push(gateway.stdout());
    assert_eq!(upstream.received().len(), 4);
    for text in told {
        assert!(!text.contains("c4n4ry"), "the provider's secret is told: {text}");
        assert!(!text.contains(TOKEN), "the admin token is told: {text}");
    }
}

fn the_admin_token_in_the_query_opens_a_route_and_is_none_of_its_parameters(host: Host) {
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
    assert_eq!((response.status, upstream.received().len()), (503, 0), "{}", response.text());
    assert_eq!(gateway.admin("GET", "/api/catalog", "").json(), before, "nothing may be overwritten");
}
