//! `--catalog FILE`: the file is the authority for its sections, is watched, and is never served half or wrong.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::common::{Builder, Gateway, Host, Request, TOKEN, chat, eventually};

both_hosts![a_section_of_the_file_cannot_be_put, keys_stay_editable_beside_a_file_without_them,];

const ECHO: &str = "[[providers]]\npreset = \"echo\"\n";

fn model(name: &str) -> String {
    format!("{ECHO}[[models]]\nname = \"{name}\"\ntargets = [\"echo/x\"]\n")
}

/// A catalog file, in a folder that goes with the test.
struct File(TempDir);

impl File {
    fn new(text: &str) -> Self {
        let file = File(tempfile::tempdir().expect("a temporary folder"));
        file.write(text);
        file
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("llmio.toml")
    }

    /// As editors do: written aside and moved into place.
    fn write(&self, text: &str) {
        let draft = self.0.path().join("draft");
        fs::write(&draft, text).expect("a file");
        fs::rename(draft, self.path()).expect("a file");
    }

    fn gateway(&self, host: Host) -> Builder {
        Gateway::on(host).arg("--catalog").arg(self.path().to_str().expect("a path in UTF-8"))
    }
}

/// Under Spin a variable is what it was at the start.
#[test]
fn a_changed_file_is_served_without_a_restart() {
    let file = File::new(&model("before"));
    let gateway = file.gateway(Host::Runner).start();
    assert_eq!(gateway.send(&chat("before")).status, 200);
    let etag = gateway.admin("GET", "/api/catalog", "").header("etag").map(str::to_owned);
    file.write(&model("after"));
    eventually("the new model is served", || (gateway.send(&chat("after")).status == 200).then_some(()));
    eventually("the old one is gone everywhere", || {
        let gone = (0..8).all(|_| gateway.send(&chat("before")).status == 404);
        gone.then_some(())
    });
    assert_ne!(gateway.admin("GET", "/api/catalog", "").header("etag").map(str::to_owned), etag);
}

/// Under Spin a variable is what it was at the start.
#[test]
fn an_invalid_change_leaves_the_last_good_catalog() {
    let file = File::new(&model("good"));
    let gateway = file.gateway(Host::Runner).start();
    file.write(&format!("{}[[models]]\nname = \"bad\"\ntargets = [\"ehco/x\"]\n", model("good")));
    eventually("the log says what is wrong", || gateway.log().contains("did you mean \"echo\"?").then_some(()));
    assert_eq!(gateway.send(&chat("good")).status, 200);
    assert_eq!(gateway.send(&chat("bad")).status, 404);
    let readiness = |says: &str| {
        let ready = gateway.send(&Request::new("GET", "/readyz"));
        assert_eq!(ready.status, 200, "{}", ready.text());
        ready.json()["degraded"].to_string().contains(says).then_some(())
    };
    eventually("readiness tells of the file", || readiness("the catalog file changed but is invalid"));
    fs::remove_file(file.path()).expect("the file");
    eventually("readiness tells that it is gone", || readiness("the catalog file cannot be read"));
    file.write(&model("better"));
    eventually("the mended file is served", || (gateway.send(&chat("better")).status == 200).then_some(()));
    eventually("nothing is degraded any more", || readiness("[]"));
}

fn a_section_of_the_file_cannot_be_put(host: Host) {
    let file = File::new(&model("m"));
    let gateway = file.gateway(host).start();
    let response = gateway.put_catalog(&model("other"));
    assert_eq!(response.status, 409);
    let detail = response.problem_detail();
    assert!(detail.contains("`providers` comes from the catalog file") && detail.contains("Edit the file"), "{detail}");
    assert_eq!(gateway.send(&chat("other")).status, 404);
}

fn keys_stay_editable_beside_a_file_without_them(host: Host) {
    let file = File::new(&model("m"));
    let mut gateway = file.gateway(host).start();
    let key = gateway.new_key("k", &["m"]);
    assert_eq!(gateway.send(&chat("m").key(&key)).status, 200);
    gateway.restart();
    assert_eq!(gateway.send(&chat("m").key(&key)).status, 200);
    let stored = gateway.put_catalog("[[keys]]\nname = \"x\"\nhash = \"sha256:00\"");
    assert_eq!(stored.status, 422, "what is put beside a file is checked all the same");
}

#[test]
fn a_file_with_keys_owns_them() {
    let keys = format!("[[keys]]\nname = \"k\"\nhash = \"sha256:{}\"\n", "ab".repeat(32));
    let file = File::new(&format!("{}{keys}", model("m")));
    let gateway = file.gateway(Host::Runner).start();
    let response = gateway.send(&Request::new("POST", "/api/keys").key(TOKEN).json(r#"{"name":"x"}"#));
    assert_eq!(response.status, 409);
    assert!(response.problem_detail().contains("--print-toml"), "{}", response.text());
    assert_eq!(gateway.admin("DELETE", "/api/keys/k", "").status, 409);
}

#[test]
fn a_file_that_is_invalid_at_the_start_exits_78_and_lists_every_problem() {
    let file = File::new(
        "[[providers]]\nname = \"a\"\nbase_url = \"nonsense\"\n[[models]]\nname = \"m\"\ntargets = [\"b/x\"]\n",
    );
    let (code, log) = file.gateway(Host::Runner).run_to_end();
    assert_eq!(code, 78, "{log}");
    assert!(
        log.contains("providers[0].base_url: ") && log.contains("models[0].targets[0]: no provider named"),
        "{log}"
    );
}

#[test]
fn a_file_that_is_not_there_exits_78_and_is_named() {
    let builder = Gateway::on(Host::Runner).arg("--catalog").arg("/nowhere/llmio.toml");
    let (code, log) = builder.run_to_end();
    assert!(code == 78 && log.contains("/nowhere/llmio.toml"), "{code}: {log}");
}
