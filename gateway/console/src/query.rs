//! The query of a page: its filters are in its address, so that it can be kept and sent to others.

use gateway_core::uri::{decode_parameter, encode_parameter};

/// Names and values, decoded, in their order. Fields that were left empty are not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what stands behind `?`, or a form's body; `None`: it is not UTF-8.
    pub fn parse(text: &str) -> Option<Self> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| decode_parameter(&text.replace('+', " "));
            Some((decode(name)?, decode(value)?.trim().to_owned()))
        });
        let pairs: Option<Vec<(String, String)>> = pairs.collect();
        Some(Query(pairs?.into_iter().filter(|(_, value)| !value.is_empty()).collect()))
    }

    /// Reads a form's body, whose values may have several lines; `None`: it is not UTF-8.
    pub(crate) fn parse_form(text: &str) -> Option<Self> {
        // Lines are decoded one by one, since no single one may hold a control character.
        let text = text.replace("%0d", "%0D").replace("%0a", "%0A").replace("%0D%0A", "%0A");
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| decode_parameter(&text.replace('+', " "));
            let lines: Option<Vec<String>> = value.split("%0A").map(decode).collect();
            Some((decode(name)?, lines?.join("\n").trim().to_owned()))
        });
        let pairs: Option<Vec<(String, String)>> = pairs.collect();
        Some(Query(pairs?.into_iter().filter(|(_, value)| !value.is_empty()).collect()))
    }

    /// Every value of a name, in their order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The last value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The same without these names.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Self {
        Query(self.0.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned().collect())
    }

    /// The same with this value of a name and no other of it.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut query = self.without(&[name]);
        query.0.push((name.to_owned(), value.to_owned()));
        query
    }

    /// As it is written behind `?`.
    pub fn text(&self) -> String {
        let pairs =
            self.0.iter().map(|(name, value)| format!("{}={}", encode_parameter(name), encode_parameter(value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// A page with this query.
    pub(crate) fn link(&self, page: &str) -> String {
        if self.0.is_empty() { page.to_owned() } else { format!("{page}?{}", self.text()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forms_values_may_have_lines_and_come_more_than_once() {
        let form = Query::parse_form("k=a%0D%0Ab+c%0d%0a&k=d%0Ae&x=%09").map(|form| form.text());
        assert_eq!(form, None, "other control characters are none of a form's");
        let form = Query::parse_form("k=a%0D%0Ab+c%0d%0a&k=d%0Ae").expect("a form");
        assert_eq!(form.all("k"), ["a\nb c", "d\ne"]);
    }

    #[test]
    fn a_query_says_the_same_after_it_was_read_and_written() {
        let query = Query::parse("model=a%2Fb+c&state=&key=%E7%9B%B2&model=d&x").expect("a query");
        assert_eq!((query.get("model"), query.get("state"), query.get("key")), (Some("d"), None, Some("盲")));
        assert_eq!(query.text(), "model=a%2Fb%20c&key=%E7%9B%B2&model=d");
        assert_eq!(query.with("model", "&").without(&["key"]).link("records"), "records?model=%26");
        assert_eq!(Query::default().link("records"), "records");
        assert_eq!(Query::parse("a=%ff"), None);
    }
}
