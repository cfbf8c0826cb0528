//! The strategy `quota`: what would be lost first is spent first.

use serde_json::json;

use crate::common::{Builder, Gateway, Host, chat, eventually};
use crate::quotas::{certainly, provider, reset_in, warmed, was_certain};
use crate::upstream::Upstream;

both_hosts![
    what_expires_soonest_is_spent_first_and_what_never_does_last,
    what_was_spent_without_this_instance_is_seen_within_seconds,
];

fn quota(hours: u64) -> String {
    format!("quota = {{ rpd = 2, reset = \"{}\" }}", reset_in(hours))
}

fn model(gateway: Builder) -> Builder {
    gateway
        .catalog("[[models]]\nname = \"m\"\nstrategy = \"quota\"\ntargets = [\"paid/up\", \"late/up\", \"soon/up\"]\n")
}

fn what_expires_soonest_is_spent_first_and_what_never_does_last(host: Host) {
    let targets = certainly(|| {
        let [late, soon, paid] = ["late", "soon", "paid"].map(Upstream::saying);
        let gateway = Gateway::on(host).catalog(&provider("late", &late, &quota(20)));
        let gateway = gateway.catalog(&provider("soon", &soon, &quota(4))).provider("paid", &paid);
        let gateway = warmed(model(gateway).start());
        let target = |_| gateway.send(&chat("m")).header("x-llmio-target").expect("a target").to_owned();
        let targets: Vec<String> = (0..6).map(target).collect();
        was_certain(&gateway, 6).then_some(targets)
    });
    assert_eq!(targets.join(" "), "soon/up soon/up late/up late/up paid/up paid/up");
}

fn what_was_spent_without_this_instance_is_seen_within_seconds(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway =
        ["late", "soon", "paid"].into_iter().zip([20, 4, 0]).fold(Gateway::on(host), |gateway, (name, hours)| {
            gateway.catalog(&provider(name, &upstream, &if hours > 0 { quota(hours) } else { String::new() }))
        });
    let gateway = model(gateway).start().settled();
    let first = || {
        let decided = gateway.admin("POST", "/api/route", r#"{"body":{"model":"m"}}"#).json();
        decided["decision"]["candidates"].clone()
    };
    assert_eq!(first(), json!(["soon/up", "late/up", "paid/up"]));
    let set = gateway.admin("PUT", "/api/quota/without%2Fsoon%2F%2A%2Frpd", r#"{"spent":2}"#);
    assert_eq!(set.status, 200, "{}", set.text());
    eventually("it goes last", || (first() == json!(["late/up", "paid/up", "soon/up"])).then_some(()));
    assert_eq!(upstream.received().len(), 0);
}
