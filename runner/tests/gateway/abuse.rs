//! One caller that hurts, whether it means to or not, beside one that is ordinary: each abuser with each
//! bystander, in a gateway of its own. The bystander is served, all of it, for as long as the abuse goes on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;

use crate::common::{End, Gateway, Host, PATIENCE, TOKEN, chat, streamed_chat};
use crate::upstream::{Answer, Upstream, event, last_events};

/// Calls of the ordinary caller, one after the other, each on a connection of its own.
const CALLS: usize = 60;
const BETWEEN_CALLS: Duration = Duration::from_millis(20);

/// Events of the ordinary stream, each sent when the one before it has arrived.
const EVENTS: usize = 40;
const BETWEEN_EVENTS: Duration = Duration::from_millis(30);

/// How long the abuser is at work before the bystander comes.
const HEAD_START: Duration = Duration::from_millis(1500);

/// Everybody's providers, and the gateway between.
struct Scene {
    gateway: Gateway,
    /// Answers the bystander's stream, event by event.
    events: Upstream,
    _others: [Upstream; 4],
}

impl Scene {
    fn new() -> Scene {
        let stream = (0..EVENTS).fold(Answer::stream(), |stream, index| stream.chunk(event(&name(index))).wait());
        let events = Upstream::answering(stream.chunk(last_events()).end());
        let unfinished = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}", "x".repeat(8 << 20));
        let others = [
            Upstream::saying("Hi"),
            Upstream::answering(Answer::stream().drip(&event(&"x".repeat(64 << 10)))),
            Upstream::answering(Answer::stream().chunk(unfinished).wait()),
            Upstream::answering(Answer::json(500, r#"{"error":{"message":"down"}}"#)),
        ];
        let [good, flood, endless, down] = &others;
        let gateway = Gateway::on(Host::Runner)
            .provider("good", good)
            .provider("events", &events)
            .provider("flood", flood)
            .provider("endless", endless)
            .provider("down", down)
            .catalog(
                "[[models]]\nname = \"known\"\naffinity = \"prompt-cache\"\n\
                 targets = [{ provider = \"good\", model = \"up\", capabilities = { context = 100000, images = false } }]",
            );
        let gateway = ["good", "events", "flood", "endless", "down"]
            .into_iter()
            .fold(gateway, |gateway, model| gateway.model(model, &[&format!("{model}/up")]))
            .start();
        Scene { gateway, events, _others: others }
    }

    /// A request of the abuser, sent as raw bytes.
    fn open(&self, path: &str, length: usize, begun: &[u8]) -> std::io::Result<TcpStream> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {TOKEN}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(self.gateway.address())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(head.as_bytes())?;
        stream.write_all(begun)?;
        Ok(stream)
    }

    /// Sends a whole request and reads what comes, if anything does.
    fn send(&self, path: &str, body: &[u8]) -> bool {
        let Ok(mut stream) = self.open(path, body.len(), body) else { return false };
        stream.read(&mut [0; 64]).is_ok_and(|length| length > 0)
    }
}

fn name(index: usize) -> String {
    format!("<{index}>")
}

/// Goes on until it is told to end.
type Abuser = for<'s> fn(&'s Scope<'s, '_>, &'s Scene, &'s AtomicBool);

/// Does one thing in so many threads.
fn again_and_again<'s>(
    scope: &'s Scope<'s, '_>,
    threads: usize,
    over: &'s AtomicBool,
    each: impl Fn() + Send + Clone + 's,
) {
    for _ in 0..threads {
        let each = each.clone();
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                each();
            }
        });
    }
}

/// Bodies of 32 MiB of which the last 200 KiB drip.
fn slow_uploads<'s>(scope: &'s Scope<'s, '_>, scene: &'s Scene, over: &'s AtomicBool) {
    const BYTES: usize = 32 << 20;
    const DRIPPED: usize = 200 << 10;
    for _ in 0..4 {
        scope.spawn(move || {
            let begun =
                [br#"{"model":"good","messages":[{"role":"user","content":""#.as_slice(), &vec![b'x'; BYTES - DRIPPED]];
            let Ok(mut stream) = scene.open("/v1/chat/completions", BYTES, &begun.concat()) else { return };
            while !over.load(Ordering::Relaxed) && stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        });
    }
}

/// Streams that flow as fast as they can, to clients that read nothing.
fn slow_readers<'s>(scope: &'s Scope<'s, '_>, scene: &'s Scene, over: &'s AtomicBool) {
    let body = br#"{"model":"flood","stream":true,"messages":[{"role":"user","content":"Hello"}]}"#;
    scope.spawn(move || {
        let held: Vec<_> = (0..64).map(|_| scene.open("/v1/chat/completions", body.len(), body)).collect();
        while !over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(20));
        }
        drop(held);
    });
}

/// Bodies whose reading costs more than their bytes.
fn huge_json<'s>(scope: &'s Scope<'s, '_>, scene: &'s Scene, over: &'s AtomicBool) {
    let zeros = format!(r#"{{"model":"known","messages":[{}0]}}"#, "0,".repeat(2 << 20)).into_bytes();
    let objects = format!(r#"{{"model":"known","messages":[{}{{}}]}}"#, "{},".repeat(4 << 20)).into_bytes();
    let turn = Arc::new(AtomicUsize::new(0));
    again_and_again(scope, 2, over, move || {
        let body = if turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) { &zeros } else { &objects };
        scene.send("/v1/chat/completions", body);
    });
}

/// Streams with one event of 8 MiB that never ends, through a translation that has to hold it.
fn unfinished_events<'s>(scope: &'s Scope<'s, '_>, scene: &'s Scene, over: &'s AtomicBool) {
    let body = br#"{"model":"endless","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}"#;
    scope.spawn(move || {
        let held: Vec<_> = (0..40).map(|_| scene.open("/v1/messages", body.len(), body)).collect();
        while !over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(20));
        }
        drop(held);
    });
}

/// A client that asks again at once, of a provider that is down.
fn retry_storm<'s>(scope: &'s Scope<'s, '_>, scene: &'s Scene, over: &'s AtomicBool) {
    let body = br#"{"model":"down","messages":[{"role":"user","content":"Hello"}]}"#;
    again_and_again(scope, 8, over, move || {
        scene.send("/v1/chat/completions", body);
    });
}

/// Somebody who guesses keys, as fast as the gateway answers.
fn key_flood<'s>(scope: &'s Scope<'s, '_>, scene: &'s Scene, over: &'s AtomicBool) {
    let guesses = Arc::new(AtomicUsize::new(0));
    again_and_again(scope, 8, over, move || {
        let guess = format!("sk-llmio-{:032x}", guesses.fetch_add(1, Ordering::Relaxed));
        let mut connection = scene.gateway.connect_from(7);
        connection.send(&chat("good").key(&guess));
        assert!(connection.finish().status >= 400, "a guess was right");
    });
}

/// Requests that once stopped an instance.
fn traps<'s>(scope: &'s Scope<'s, '_>, scene: &'s Scene, over: &'s AtomicBool) {
    let empty = format!(r#"{{"model":"good","max_tokens":9,"messages":[{}{{}}]}}"#, "{},".repeat(2_800_000));
    let escapes = "\\u0041".repeat((31 << 20) / 6);
    let escapes = format!(r#"{{"model":"good","max_tokens":9,"messages":[{{"role":"user","content":"{escapes}"}}]}}"#);
    let (bodies, turn) = ([empty.into_bytes(), escapes.into_bytes()], AtomicUsize::new(0));
    let turn = Arc::new(turn);
    again_and_again(scope, 1, over, move || {
        let at = turn.fetch_add(1, Ordering::Relaxed) % bodies.len();
        scene.send("/v1/messages", &bodies[at]);
    });
}

/// Nobody's call of 60 bytes is refused or lost.
fn calls(scene: &Scene) {
    for index in 0..CALLS {
        let response = scene.gateway.send(&chat("good"));
        assert_eq!((response.status, response.end), (200, End::Clean), "call {index}: {}", response.text());
        thread::sleep(BETWEEN_CALLS);
    }
}

/// Nobody's stream is cut or held up.
fn stream(scene: &Scene) {
    let mut stream = scene.gateway.open(&streamed_chat("events"));
    for index in 0..EVENTS {
        stream.read_until(&name(index));
        thread::sleep(BETWEEN_EVENTS);
        scene.events.release();
    }
    let rest = stream.finish();
    assert!(rest.end == End::Clean && rest.text().ends_with("data: [DONE]\n\n"), "{}", rest.text());
}

/// CPU time that the gateway has taken. Whoever waits for a core on a busy machine takes none.
fn cpu(gateway: &Gateway) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{}/task", gateway.process())).expect("a running process");
    let ran = threads.flatten().filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(ran.sum())
}

/// `cpu_max`: what an abuser who sends little may cost at most. Others cost what each of their requests does, of which none
/// may take a second in one piece: that would be a trap.
fn beside(abuser: Abuser, cpu_max: Option<Duration>, bystander: fn(&Scene)) {
    let (scene, over) = (Scene::new(), AtomicBool::new(false));
    let before = cpu(&scene.gateway);
    thread::scope(|scope| {
        // This ends the abuser whatever becomes of the bystander; otherwise the scope would wait for ever.
        let _ending = Ending(&over);
        abuser(scope, &scene, &over);
        thread::sleep(HEAD_START);
        bystander(&scene);
        let taken = cpu(&scene.gateway).saturating_sub(before);
        assert!(cpu_max.is_none_or(|most| taken <= most), "{taken:?} of CPU");
    });
    let log = scene.gateway.log();
    assert!(!log.contains("an instance trapped"), "{log}");
}

struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn within(seconds: &[u64]) -> Option<Duration> {
    seconds.first().copied().map(Duration::from_secs)
}

/// The tests of one abuser with both bystanders.
macro_rules! beside {
    ($($abuser:ident $(within $seconds:literal seconds)?;)*) => {$(
        mod $abuser {
            #[test]
            fn every_call_beside_it_is_served() {
                super::beside(super::$abuser, super::within(&[$($seconds)?]), super::calls);
            }

            #[test]
            fn a_stream_beside_it_is_whole() {
                super::beside(super::$abuser, super::within(&[$($seconds)?]), super::stream);
            }
        }
    )*};
}

beside! {
    slow_uploads within 10 seconds;
    slow_readers within 10 seconds;
    huge_json;
    unfinished_events within 20 seconds;
    retry_storm;
    key_flood;
    traps;
}
