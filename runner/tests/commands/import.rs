//! The files of other gateways, written here to their published schemas, imported by the real binary, and a call with an old
//! key served by the result.

use super::operating::Provider;
use super::*;
use rusqlite::Connection;
use serde_json::json;

const ROUTES: &str = "/v1/chat/completions";

fn database(place: &Place, name: &str, sql: &str) -> String {
    let path = place.folder.path().join(name);
    Connection::open(&path).and_then(|database| database.execute_batch(sql)).expect("a database");
    path.display().to_string()
}

/// As Go llmio makes it, with a provider at this address.
fn llmio_sql(address: SocketAddr) -> String {
    let config = json!({ "base_url": format!("http://{address}/v1"), "api_key": "sk-good-1234567890" });
    format!(
        "CREATE TABLE providers (id INTEGER PRIMARY KEY AUTOINCREMENT, created_at DATETIME, updated_at DATETIME, deleted_at DATETIME,
            name TEXT, type TEXT, config TEXT, console TEXT, proxy TEXT, error_matcher TEXT);
        INSERT INTO providers (name, type, config) VALUES ('relay', 'openai', '{config}');
        CREATE TABLE models (id INTEGER PRIMARY KEY AUTOINCREMENT, deleted_at DATETIME, name TEXT, remark TEXT, max_retry INTEGER,
            time_out INTEGER, strategy TEXT, breaker NUMERIC, display_order INTEGER);
        INSERT INTO models (name, max_retry, time_out, strategy, breaker, display_order) VALUES ('old', 3, 60, 'lottery', 1, 1);
        CREATE TABLE model_with_providers (id INTEGER PRIMARY KEY AUTOINCREMENT, deleted_at DATETIME, model_id INTEGER,
            provider_id INTEGER, provider_model TEXT, tool_call NUMERIC, structured_output NUMERIC, image NUMERIC,
            with_header NUMERIC, status NUMERIC, customer_headers TEXT, extra_body TEXT, weight INTEGER, input_price REAL,
            cache_read_price REAL, output_price REAL, currency TEXT);
        INSERT INTO model_with_providers (model_id, provider_id, provider_model, tool_call, structured_output, image, status, weight)
            VALUES (1, 1, 'up', 1, 1, 1, 1, 5);
        CREATE TABLE auth_keys (id INTEGER PRIMARY KEY AUTOINCREMENT, deleted_at DATETIME, name TEXT, key TEXT, status NUMERIC,
            io_log NUMERIC, allow_all NUMERIC, models TEXT, expires_at DATETIME, usage_count INTEGER, last_used_at DATETIME);
        INSERT INTO auth_keys (name, key, status, allow_all) VALUES ('laptop', 'sk-llmio-old-0123456789', 1, 1);
        CREATE TABLE configs (id INTEGER PRIMARY KEY AUTOINCREMENT, deleted_at DATETIME, key TEXT, value TEXT);
        CREATE TABLE chat_logs (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
        INSERT INTO chat_logs (name) VALUES ('old'), ('old');"
    )
}

fn new_api_sql(address: SocketAddr) -> String {
    format!(
        "CREATE TABLE channels (id INTEGER PRIMARY KEY, type INTEGER, key TEXT NOT NULL, status INTEGER DEFAULT 1, name TEXT,
            weight INTEGER DEFAULT 0, base_url TEXT DEFAULT '', other TEXT, models TEXT, \"group\" TEXT DEFAULT 'default',
            model_mapping TEXT, priority BIGINT DEFAULT 0, auto_ban INTEGER DEFAULT 1, channel_info JSON, setting TEXT);
        INSERT INTO channels (type, key, name, base_url, models, model_mapping)
            VALUES (1, 'sk-good-1234567890', 'relay', 'http://{address}', 'old', '{{\"old\":\"up\"}}');
        CREATE TABLE tokens (id INTEGER PRIMARY KEY, user_id INTEGER, key CHAR(48), status INTEGER DEFAULT 1, name TEXT,
            expired_time BIGINT DEFAULT -1, remain_quota INTEGER, unlimited_quota NUMERIC, deleted_at DATETIME);
        INSERT INTO tokens (user_id, key, name, unlimited_quota) VALUES (1, 'llmio-old-0123456789', 'laptop', 1);
        CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, password TEXT);
        CREATE TABLE options (key TEXT PRIMARY KEY, value TEXT);"
    )
}

/// one-api has other columns, and other numbers: 50 is whatever speaks OpenAI's dialect.
fn one_api_sql(address: SocketAddr) -> String {
    format!(
        "CREATE TABLE channels (id INTEGER PRIMARY KEY, type INTEGER, key TEXT, status INTEGER DEFAULT 1, name TEXT,
            weight INTEGER DEFAULT 0, base_url TEXT, other TEXT, models TEXT, \"group\" TEXT DEFAULT 'default',
            model_mapping TEXT, priority BIGINT DEFAULT 0, config TEXT, system_prompt TEXT);
        INSERT INTO channels (type, key, name, base_url, models) VALUES (50, 'sk-good-1234567890', 'relay', 'http://{address}/v1', 'old');
        CREATE TABLE tokens (id INTEGER PRIMARY KEY, user_id INTEGER, key CHAR(48), status INTEGER DEFAULT 1, name TEXT,
            expired_time BIGINT DEFAULT -1, remain_quota BIGINT, unlimited_quota NUMERIC, models TEXT, subnet TEXT);
        INSERT INTO tokens (user_id, key, name, unlimited_quota, models) VALUES (1, 'llmio-old-0123456789', 'laptop', 1, 'old');"
    )
}

fn gpt_load_sql(address: SocketAddr) -> String {
    format!(
        "CREATE TABLE groups (id INTEGER PRIMARY KEY, name TEXT UNIQUE, proxy_keys TEXT, upstreams JSON, channel_type TEXT,
            sort INTEGER, test_model TEXT, param_overrides JSON, config JSON, header_rules JSON, group_type TEXT);
        INSERT INTO groups (name, proxy_keys, upstreams, channel_type, sort, test_model, group_type)
            VALUES ('relay', 'sk-llmio-old-0123456789', '[{{\"url\":\"http://{address}\",\"weight\":1}}]', 'openai', 1, 'old', 'standard');
        CREATE TABLE api_keys (id INTEGER PRIMARY KEY, key_value TEXT, group_id INTEGER, status TEXT);
        INSERT INTO api_keys (key_value, group_id, status) VALUES ('sk-good-1234567890', 1, 'active');
        CREATE TABLE system_settings (id INTEGER PRIMARY KEY, setting_key TEXT, setting_value TEXT);"
    )
}

fn litellm_yaml(address: SocketAddr) -> String {
    format!(
        "model_list:\n  - model_name: old\n    litellm_params:\n      model: openai/up\n      api_base: http://{address}/v1\n      \
         api_key: os.environ/GOOD_KEY\ngeneral_settings:\n  master_key: sk-llmio-old-0123456789\n"
    )
}

fn router_json(address: SocketAddr) -> String {
    json!({
        "APIKEY": "sk-llmio-old-0123456789",
        "Providers": [{ "name": "relay", "api_base_url": format!("http://{address}/v1/chat/completions"),
            "api_key": "$GOOD_KEY", "models": ["old"] }],
        "Router": { "default": "relay,old" },
    })
    .to_string()
}

/// A chat with this model and the old key.
fn old_call(server: &Server, model: &str) -> (u16, String) {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "Hello" }] }).to_string();
    server.post(ROUTES, "sk-llmio-old-0123456789", &body)
}

#[test]
fn each_source_is_shown_then_taken_and_serves_a_call_with_its_old_key() {
    let provider = Provider::new();
    let address = provider.0;
    type Make = fn(SocketAddr) -> String;
    let sources: [(&str, &str, Make, bool); 6] = [
        ("llmio", "llmio (Go)", llmio_sql, true),
        ("new-api", "new-api", new_api_sql, true),
        ("one-api", "one-api", one_api_sql, true),
        ("gpt-load", "gpt-load", gpt_load_sql, true),
        ("litellm", "LiteLLM", litellm_yaml, false),
        ("claude-code-router", "Claude Code Router", router_json, false),
    ];
    for (kind, title, make, is_database) in sources {
        let place = Place::new().with("GOOD_KEY", "sk-good-1234567890");
        let text = make(address);
        let file = if is_database { database(&place, "old.db", &text) } else { place.file("old.txt", &text) };
        let before = fs::read(&file).expect("the file");
        let shown = place.run(&["import", &file]);
        assert_eq!(shown.code, 0, "{kind}: {}{}", shown.out, shown.err);
        assert!(shown.out.starts_with(&format!("{title}\n\nWould be taken")), "{}", shown.out);
        assert!(shown.err.contains("Nothing was stored") && !place.data().exists(), "{}", shown.err);
        let server = place.serve();
        let stored = place.run(&["import", &file, "--apply"]);
        assert!(
            stored.code == 0 && stored.err.contains("Catalog version 1 is in force."),
            "{kind}: {}{}",
            stored.out,
            stored.err
        );
        for output in [&shown.out, &shown.err, &stored.out, &stored.err] {
            assert!(!output.contains("sk-good") && !output.contains("old-0123456789"), "{kind}: {output}");
        }
        let (status, answer) = old_call(&server, "old");
        assert!(status == 200 && answer.contains("OK"), "{kind}: {answer}");
        let catalog = place.ok(&["catalog", "export"]);
        assert!(!catalog.contains("sk-good") && !catalog.contains("old-0123456789"), "{kind}: {catalog}");
        let again: Value = serde_json::from_str(&place.ok(&["import", &file, "--apply", "--json"])).expect("JSON");
        assert_eq!((&again["kind"], &again["taken"]), (&json!(kind), &json!([])), "{again}");
        assert_eq!(fs::read(&file).expect("the file"), before, "{kind}: the file is only read");
    }
}

#[test]
fn what_was_changed_and_left_is_told_and_a_wrong_file_is_refused() {
    let place = Place::new();
    let file = database(&place, "old.db", &llmio_sql("127.0.0.1:1".parse().expect("an address")));
    let shown = place.ok(&["import", &file]);
    assert!(shown.contains("\nLeft (1):\n  table chat_logs: 2 rows"), "{shown}");
    let shown = place.run(&["import", &file, "--kind", "gpt-load"]);
    assert_eq!((shown.code, shown.out.contains("providers[")), (0, false), "{}{}", shown.out, shown.err);
    let text = place.file("text.txt", "hello");
    let message = place.fails(&["import", &text], 1);
    assert!(message.contains("not a file of a gateway that can be imported"), "{message}");
    let message = place.fails(&["import", "none.db"], 1);
    assert!(message.contains("none.db cannot be read"), "{message}");
}

#[test]
fn a_catalog_file_keeps_its_sections() {
    let place = Place::new();
    let file = place.file("llmio.toml", "[[providers]]\npreset = \"echo\"\n");
    let place = place.with("LLMIO_CATALOG", file);
    let old = database(&place, "old.db", &llmio_sql("127.0.0.1:1".parse().expect("an address")));
    let message = place.fails(&["import", &old, "--apply"], 1);
    assert!(message.contains("comes from the catalog file"), "{message}");
}

/// A data folder that has what Go llmio left behind.
fn taken_over_place(provider: &Provider) -> Place {
    let place = Place::new();
    fs::create_dir(place.data()).expect("a folder");
    database(&place, "data/llmio.db", &llmio_sql(provider.0));
    place
}

#[test]
fn an_old_database_is_announced_and_with_auto_taken_over_once() {
    let provider = Provider::new();
    let place = taken_over_place(&provider);
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    eventually("it listens", || place.data().join("address").exists().then_some(()));
    child.kill().expect("a child of ours");
    let message = child.wait_with_output().expect("its output").stderr;
    let message = String::from_utf8(message).expect("UTF-8");
    assert!(message.contains("`llmio import ") && message.contains("LLMIO_IMPORT=auto"), "{message}");

    // An old token of the old length goes on working for clients, and opens no admin route.
    let place = place.with("LLMIO_IMPORT", "auto").with("TOKEN", "123456");
    let server = place.serve();
    assert_eq!(old_call(&server, "old").0, 200);
    let body = r#"{"model":"old","messages":[{"role":"user","content":"Hello"}]}"#;
    assert_eq!(server.post(ROUTES, "123456", body).0, 200);
    assert_eq!(server.post("/openai/v1/chat/completions", "123456", body).0, 200, "the old path");
    assert_eq!(server.post("/api/keys", "123456", r#"{"name":"x"}"#).0, 403);
    let listed = place.ok(&["keys", "list"]);
    assert!(listed.contains("laptop") && listed.contains("TOKEN"), "{listed}");
    place.ok(&["keys", "revoke", "laptop"]);
    server.stop();
    // Later starts take nothing again, and the token stays what it is, even without the old database.
    fs::remove_file(place.data().join("llmio.db")).expect("the old database");
    let server = place.serve();
    assert_eq!((old_call(&server, "old").0, server.post(ROUTES, "123456", body).0), (401, 200));
}

#[test]
fn an_old_database_leaves_a_catalog_alone() {
    let provider = Provider::new();
    let place = taken_over_place(&provider);
    place.ok(&["keys", "create", "mine"]);
    let place = place.with("LLMIO_IMPORT", "auto");
    let server = place.serve();
    assert_eq!(old_call(&server, "old").0, 401);
    let listed = place.ok(&["keys", "list"]);
    assert!(listed.contains("mine") && !listed.contains("laptop"), "{listed}");
    server.stop();
}
