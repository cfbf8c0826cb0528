//! A machine that has little time for the gateway, which is then slow but fails nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::process::{Pid, setpriority_process};
use serde_json::json;

use crate::common::{Gateway, Host, chat};
use crate::upstream::Upstream;

/// Takes nearly all time of every core while it lives.
struct Hogs {
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Hogs {
    fn new() -> Hogs {
        let end = Arc::new(AtomicBool::new(false));
        let hog = |end: Arc<AtomicBool>| {
            move || {
                while !end.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = (0..cores).map(|_| std::thread::spawn(hog(end.clone()))).collect();
        Hogs { end, threads }
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// Lets every thread of the gateway run only when nobody else wants to.
fn starve(gateway: &Gateway) {
    let threads = std::fs::read_dir(format!("/proc/{}/task", gateway.process())).expect("a running process");
    for thread in threads.filter_map(Result::ok) {
        let id = thread.file_name().to_str().and_then(|text| text.parse().ok()).and_then(Pid::from_raw);
        // One that has ended meanwhile needs nothing.
        let _ = setpriority_process(id, 19);
    }
}

/// The guest needs tens of milliseconds for it, which take seconds here. A limit in wall time, as there once was, would
/// trap it.
#[test]
fn a_large_conversation_is_served_however_long_it_waits_for_a_core() {
    let upstream = Upstream::saying("ok");
    let gateway = Gateway::on(Host::Runner).provider("a", &upstream).model("m", &["a/up"]).start().settled();
    let turn = json!({ "role": "user", "content": "How do I write a long conversation? ".repeat(20) });
    let messages: Vec<_> = (0..4_000).map(|_| &turn).collect();
    let body = json!({ "model": "m", "messages": messages }).to_string();
    assert!(body.len() > 2 << 20, "{}", body.len());
    starve(&gateway);
    let hogs = Hogs::new();
    let response = gateway.send(&chat("m").body(body));
    drop(hogs);
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(!gateway.log().contains("trapped"), "{}", gateway.log());
}
