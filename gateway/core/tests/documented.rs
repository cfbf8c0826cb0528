//! What the README shows is accepted: a sample that does not work is worse than none.

use gateway_core::catalog::Document;

const README: &str = include_str!("../../../README.md");

/// The code blocks of one language.
fn samples(language: &str) -> Vec<&'static str> {
    let opening = format!("```{language}\n");
    README.split(opening.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn every_catalog_in_the_readme_is_valid() {
    let samples = samples("toml");
    assert!(!samples.is_empty());
    for sample in samples {
        if let Err(problems) = Document::from_toml(sample).and_then(|document| document.validate()) {
            panic!("{sample}\n{problems}");
        }
    }
}

#[test]
fn the_real_provider_in_the_readme_takes_four_lines() {
    let first = samples("toml").first().copied().unwrap_or_default();
    assert_eq!(first.lines().count(), 4);
}
