//! `llmio records`.

use super::*;

#[test]
fn records_come_in_pages_up_to_the_limit_newest_first() {
    let place = Place::new();
    let server = place.serve();
    let token = place.ok(&["token"]);
    for _ in 0..5 {
        assert_eq!(server.chat(token.trim()).0, 200);
    }
    let ids = |arguments: &[&str]| -> Vec<String> {
        let lines = place.ok(arguments);
        let id = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["id"].as_str().map(str::to_owned);
        lines.lines().filter_map(id).collect()
    };
    let all = eventually("five records", || Some(ids(&["records", "--json"])).filter(|ids| ids.len() == 5));
    assert!(all.is_sorted_by(|newer, older| newer > older), "{all:?}");
    assert_eq!(ids(&["records", "--json", "--limit", "2"]), all[..2]);
    assert_eq!(ids(&["records", "--json", "--limit", "5000"]), all, "more than a page may be asked for");
    let message = place.fails(&["records", "--state", "nonsense"], 1);
    assert!(message.contains("client_closed"), "the states there are: {message}");
}

#[test]
fn a_cost_is_told_in_dollars_to_people_and_as_it_is_to_programs() {
    let place = Place::new();
    let priced = "models = [{ name = \"demo\", targets = [{ provider = \"echo\", price = { input = 0, output = 0.3 } }] }]\n\
                  providers = [{ preset = \"echo\" }]\n";
    place.ok(&["catalog", "import", &place.file("llmio.toml", priced)]);
    let server = place.serve();
    assert_eq!(server.chat(place.ok(&["token"]).trim()).0, 200);
    let json = ["records", "--json"];
    let line = eventually("the call is recorded", || place.ok(&json).lines().next().map(str::to_owned));
    let record: Value = serde_json::from_str(&line).expect("JSON");
    let tokens = record["output_tokens"].as_u64().expect("the echo counts");
    assert_eq!((&record["cost_nano"], &record["price"]), (&Value::from(tokens * 300), &Value::from("catalog")));
    assert!(record.get("cost_usd").is_none(), "{record}");
    let cost = format!("0.{:07}", tokens * 3);
    let cost = cost.trim_end_matches('0');
    let table = place.ok(&["records"]);
    assert!(table.lines().last().is_some_and(|row| row.ends_with(cost)), "{cost} in {table}");
    let id = record["id"].as_str().expect("an id");
    let shown: Value = serde_json::from_str(&place.ok(&["records", "show", id])).expect("JSON");
    assert_eq!(shown["cost_usd"], cost);
}
