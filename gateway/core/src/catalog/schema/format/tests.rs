use super::*;

#[test]
fn a_duration_is_numbers_with_units_in_a_row() {
    let cases = [("500ms", 500), ("5s", 5000), ("60m", 3_600_000), ("1h30m", 5_400_000), ("1d", 86_400_000)];
    for (text, ms) in cases {
        assert_eq!(duration_ms(text), Ok(ms), "{text}");
    }
    assert_eq!([500, 5000, 90_000, 3_600_000].map(human_duration), ["500ms", "5s", "90s", "1h"]);
}

#[test]
fn a_time_of_day_has_two_digits_each() {
    assert!(time_of_day("08:00").is_ok() && time_of_day("23:59").is_ok());
    for text in ["8:00", "24:00", "12:60", "+1:00", "12", "12:00:00"] {
        assert!(time_of_day(text).is_err(), "{text}");
    }
}

#[test]
fn a_zone_is_one_of_the_iana_database() {
    assert!(zone("Asia/Shanghai").is_ok() && zone("UTC").is_ok());
    assert!(zone("Asia/Beijing2").is_err() && zone("").is_err() && zone("../../etc/passwd").is_err());
}

#[test]
fn a_budget_is_an_amount_a_currency_and_a_period() {
    let money = |amount, currency: &str| Money { amount, currency: currency.to_owned() };
    assert_eq!(budget("5 USD/day"), Ok((money(5.0, "USD"), Period::Day)));
    assert_eq!(budget("0.5 CNY/month"), Ok((money(0.5, "CNY"), Period::Month)));
    assert_eq!(budget("20 USD/total"), Ok((money(20.0, "USD"), Period::Total)));
    assert_eq!(budget("1 USD/hour"), Ok((money(1.0, "USD"), Period::Hours(1))));
    assert_eq!(budget("1 USD/5h"), Ok((money(1.0, "USD"), Period::Hours(5))));
    assert_eq!(budget("1 USD/30d"), Ok((money(1.0, "USD"), Period::Hours(720))));
    for wrong in ["1 USD/0h", "1 USD/d", "1 USD/h", "1 USD/400d", "1 USD/+5h", "1 USD/99999999999999999999d"] {
        assert!(budget(wrong).is_err(), "{wrong}");
    }
    for text in [
        "1.2.3 USD/day",
        "5  USD/day",
        "5 USD/",
        "5 USD",
        "USD/day",
        "5 usd/day",
        "-5 USD/day",
        "0 USD/day",
        "inf USD/day",
        "5 USD/year",
    ] {
        assert!(budget(text).is_err(), "{text}");
    }
}

#[test]
fn a_pattern_may_end_in_a_star() {
    assert!(pattern("claude-*").is_ok() && pattern("*").is_ok() && pattern("gpt-4o").is_ok());
    assert!(pattern("*-mini").is_err() && pattern("a**").is_err() && pattern("").is_err());
}

#[test]
fn an_origin_and_a_proxy_have_no_path() {
    assert!(origin("https://a.example/").is_ok() && origin("https://a.example/v1").is_err());
    assert!(proxy_url("socks5://127.0.0.1:1080").is_ok() && proxy_url("ftp://127.0.0.1").is_err());
}

#[test]
fn a_proxy_may_name_user_and_password_and_says_what_is_wrong_with_them() {
    for good in [
        "http://proxy.example",
        "HTTPS://u:p%40ss;w@proxy.example:8443/",
        "socks5h://user-us-session_1:p@127.0.0.1",
        "http://u@[::1]:9",
    ] {
        assert_eq!(proxy_url(good), Ok(()), "{good}");
    }
    for (wrong, says) in [
        ("http://u:p/w@proxy.example", "%XX"),
        ("http://u:p%4@proxy.example", "%XX"),
        ("http://u:p%zz@proxy.example", "%XX"),
        ("http://u:p@w@proxy.example", "%XX"),
        ("http://:p@proxy.example", "must have a user"),
        ("http://proxy.example/path", "must end after host and port"),
        ("http://proxy.example:99999", "no valid port"),
        ("proxy.example:80", "must start with"),
    ] {
        let problem = proxy_url(wrong).unwrap_err();
        assert!(problem.contains(says), "{wrong}: {problem}");
    }
    assert!(proxy_url(&format!("http://{}@p.example", "u".repeat(256))).is_err());
}
