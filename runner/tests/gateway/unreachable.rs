//! A host that is down costs one attempt, and not one for each model, provider and credential there. How often and for
//! how long it is then left alone is tested with core's tables; here calls follow each other as quickly as the machine
//! lets them, so each test waits for its condition.

use serde_json::{Value, json};

use crate::common::{Connection, Gateway, Host, Request, TOKEN, chat, eventually};
use crate::upstream::{Answer, Upstream, completion};

both_hosts![
    a_switched_off_host_costs_one_attempt_for_all_who_are_asked_there,
    who_refuses_connections_is_left_alone_whatever_is_asked_there,
    a_host_that_is_back_is_found_and_its_address_cleared,
];

/// Two providers at this host, and one elsewhere.
fn gateway(host: Host, down: &Upstream, up: &Upstream) -> Gateway {
    const LIMITS: &str = "attempts = 4\ntimeouts = { connect = \"300ms\" }";
    Gateway::on(host)
        .provider("a", down)
        .provider("b", down)
        .provider("c", up)
        .model_with("m", LIMITS, &["a/1", "a/2", "b/1", "c/up"])
        .model_with("alone", LIMITS, &["b/2"])
        .start()
}

fn troubled(connection: &mut Connection) -> Vec<Value> {
    let health = connection.exchange(&Request::new("GET", "/api/health").key(TOKEN)).json();
    health["subjects"].as_array().expect("a list").iter().map(|each| each["subject"].clone()).collect()
}

/// What a call of the model that has no other host is told, once that is not sent anywhere.
fn refusal(connection: &mut Connection) -> String {
    eventually("nobody is sent there", || {
        let response = connection.exchange(&chat("alone"));
        assert!(matches!(response.status, 502 | 503), "{}", response.text());
        (response.status == 503).then(|| response.openai_error().message)
    })
}

fn a_switched_off_host_costs_one_attempt_for_all_who_are_asked_there(host: Host) {
    let (down, up) = (Upstream::switched_off(), Upstream::saying("from c"));
    let gateway = gateway(host, &down, &up);
    let mut connection = gateway.connect();
    let record = eventually("one attempt is enough", || {
        let response = connection.exchange(&chat("m"));
        assert_eq!((response.status, response.text()), (200, completion("from c")));
        let record = gateway.record(&response);
        (record["attempts"].as_array().map(Vec::len) == Some(2)).then_some(record)
    });
    let attempts = [0, 1].map(|index| record["attempts"][index]["provider"].clone());
    assert_eq!(attempts[1], "c", "{record}");
    assert_eq!(record["attempts"][0]["error"], "did not accept the connection in time");
    let skipped = record["decision"]["skipped"].as_array().expect("reasons");
    assert_eq!(skipped.len(), 2, "{record}");
    for each in skipped {
        assert_eq!((&each["reason"], &each["said"]), (&json!("unreachable"), &json!(down.url())), "{record}");
        assert!(each["until_ms"].is_i64(), "{record}");
    }
    let message = refusal(&mut connection);
    let address = format!("b/2 has an address that cannot be reached ({}) until ", down.url());
    assert!(message.contains(&address), "{message}");
}

fn who_refuses_connections_is_left_alone_whatever_is_asked_there(host: Host) {
    let (down, up) = (Upstream::absent(), Upstream::saying("from c"));
    let gateway = gateway(host, &down, &up);
    let mut connection = gateway.connect();
    let subject = json!(format!("address/{}", down.url()));
    eventually("its address is known to be unreachable", || {
        assert_eq!(connection.exchange(&chat("m")).text(), completion("from c"));
        let troubled = troubled(&mut connection);
        assert!(troubled.iter().all(|each| *each == subject), "nobody else is to blame: {troubled:?}");
        (!troubled.is_empty()).then_some(())
    });
    assert!(refusal(&mut connection).contains(&format!("cannot be reached ({})", down.url())));
}

fn a_host_that_is_back_is_found_and_its_address_cleared(host: Host) {
    let (mut down, up) = (Upstream::switched_off(), Upstream::saying("from c"));
    let gateway = gateway(host, &down, &up);
    let mut connection = gateway.connect();
    refusal(&mut connection);
    down.switch_on(Answer::json(200, &completion("back")));
    eventually("it is asked again", || {
        let response = connection.exchange(&chat("alone"));
        (response.status == 200).then(|| assert_eq!(response.text(), completion("back")))
    });
    assert_eq!(connection.exchange(&chat("m")).text(), completion("back"), "its other models are asked as well");
    assert_eq!(troubled(&mut connection), Vec::<Value>::new());
}
