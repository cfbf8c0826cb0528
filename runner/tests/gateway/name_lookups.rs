//! Names whose look-up hangs. The system's resolver is the one thing that cannot be scripted from outside, so the binary
//! runs with another `getaddrinfo` in front of it.

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::common::{Gateway, Host, chat};
use crate::upstream::{Answer, Upstream, completion};

/// Names under `stuck.example` hang for a minute, as with a name server that is silent; `good.example` is this machine.
const RESOLVER: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    if (name && strstr(name, "stuck.example")) {
        sleep(60);
        return EAI_AGAIN;
    }
    return next(name && !strcmp(name, "good.example") ? "127.0.0.1" : name, service, hints, found);
}
"#;

/// More than all the blocking threads that the event loops would have.
const STUCK: usize = 1200;

#[test]
fn one_thousand_and_two_hundred_stuck_look_ups_block_nobody() {
    // Each holds a connection of this process.
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum }).expect("more files");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [source, library] = ["resolver.c", "resolver.so"].map(|name| folder.path().join(name));
    std::fs::write(&source, RESOLVER).expect("a file");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(built.expect("a C compiler, as README.md asks for").success());
    let head = "content-type: application/json\r\nconnection: close";
    let upstream = Upstream::answering(Answer::whole(200, head, &completion("Hi")).cut());
    let port = upstream.authority().rsplit(':').next().expect("a port").to_owned();
    let provider = |name: &str, host: &str| {
        format!(
            "[[providers]]\nname = \"{name}\"\nbase_url = \"http://{host}:{port}/v1\"\ncredentials = [\"sk\"]\nlocal = true\n"
        )
    };
    let gateway = Gateway::on(Host::Runner)
        .env("LD_PRELOAD", &library.display().to_string())
        .catalog(&provider("stuck", "api.stuck.example"))
        .catalog(&provider("good", "good.example"))
        .model_with("stuck", "attempts = 1", &["stuck/up"])
        .model("good", &["good/up"])
        .start();
    let stuck: Vec<_> = (0..STUCK).map(|_| gateway.open(&chat("stuck"))).collect();
    for index in 0..20 {
        let begun = Instant::now();
        let response = gateway.send(&chat("good"));
        assert_eq!(response.status, 200, "{index}: {}", response.text());
        assert!(begun.elapsed() < Duration::from_secs(4), "{index} waited for a look-up of somebody else's");
    }
    assert_eq!(upstream.connections(), 20, "each looked its name up");
    let answer = stuck.into_iter().next().expect("a stuck one").finish();
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(answer.text().contains("not resolved in time"), "{}", answer.text());
}
