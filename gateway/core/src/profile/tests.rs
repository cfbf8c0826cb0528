use super::*;
use crate::dialect::Dialect;

mod makers;
mod page;

#[test]
fn rows_are_read_in_order_and_the_later_one_counts() {
    let of = |model| Profile::of(model, Dialect::OpenaiChat);
    assert!(!of("gpt-5").stop && of("gpt-5.5").stop && of("gpt-5-chat-latest").stop);
    assert_eq!(of("gpt-5.1-codex-mini").efforts, [Effort::Medium, Effort::High]);
    assert_eq!(of("gpt-5.3-codex").efforts, of("gpt-5.3").efforts);
}

#[test]
fn a_name_without_a_number_is_of_the_newest_version() {
    for (newest, numbered, dialect) in [
        ("claude-mythos-preview", "claude-mythos-99", Dialect::Anthropic),
        ("gemini-flash-latest", "gemini-99-flash", Dialect::Gemini),
        ("gpt-sol-latest", "gpt-99-sol", Dialect::OpenaiChat),
    ] {
        assert_eq!(Profile::of(newest, dialect), Profile::of(numbered, dialect), "{newest}");
    }
}

#[test]
fn an_effort_between_two_is_the_nearest_that_is_known() {
    let profile = Profile { efforts: &[Effort::Low, Effort::High, Effort::Max], ..rows::COMMON };
    for (effort, from, up_to) in [
        (Effort::None, Effort::Low, Effort::Low),
        (Effort::Low, Effort::Low, Effort::Low),
        (Effort::Medium, Effort::High, Effort::Low),
        (Effort::ExtraHigh, Effort::Max, Effort::High),
        (Effort::Max, Effort::Max, Effort::Max),
    ] {
        assert_eq!(
            (profile.effort_from(effort), profile.effort_up_to(effort)),
            (Some(from), Some(up_to)),
            "{effort:?}"
        );
    }
    assert_eq!(rows::COMMON.effort_from(Effort::Low), None);
}

#[test]
fn every_fact_says_when_and_where_it_was_read() {
    let sources = rows::all().flat_map(|row| row.facts.iter().map(|(_, source)| source));
    for Source { as_of, url } in sources {
        assert!(as_of.parse::<jiff::civil::Date>().is_ok(), "{as_of}");
        assert!(url.strip_prefix("https://").is_some_and(|rest| rest.contains('/')), "{url}");
    }
}

#[test]
fn efforts_are_listed_from_least_to_most() {
    for model in NAMES {
        for dialect in Dialect::ALL {
            let efforts = Profile::of(model, dialect).efforts;
            assert!(efforts.is_sorted() && efforts.windows(2).all(|pair| pair[0] != pair[1]), "{model}");
        }
    }
}

#[test]
fn every_row_is_of_a_model_that_exists() {
    for (at, row) in rows::all().enumerate() {
        assert!(!row.facts.is_empty(), "row {at}");
        let is_of = |model: &&str| {
            let lower = model.to_ascii_lowercase();
            Dialect::ALL.iter().any(|dialect| row.is_of(&ModelName::read(&lower), *dialect))
        };
        assert!(NAMES.iter().any(is_of), "row {at}: {row:?}");
    }
}
