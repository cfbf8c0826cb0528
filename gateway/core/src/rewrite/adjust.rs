//! `set`, `default` and `remove` of a target: what its provider needs that its dialect does not say. Members at the top
//! level of the body are replaced, added and left out in place; everything between them stays as it is.

use std::ops::Range;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::body::{Edit, splice};
use crate::catalog::Adjustments;

/// Stands between the name of a member and what is within it.
const NESTS: char = '.';

impl Adjustments {
    fn names(&self) -> impl Iterator<Item = &str> {
        let pairs = self.set.iter().chain(&self.default).map(|(name, _)| name.as_str());
        pairs.chain(self.remove.iter().map(String::as_str))
    }

    /// The members within which something is changed, each once.
    fn heads(&self) -> Vec<&str> {
        let mut heads: Vec<&str> = self.names().filter_map(|name| Some(name.split_once(NESTS)?.0)).collect();
        heads.sort_unstable();
        heads.dedup();
        heads
    }

    /// What is changed within this member.
    fn within(&self, head: &str) -> Adjustments {
        let rest =
            |name: &str| name.split_once(NESTS).filter(|(first, _)| *first == head).map(|(_, rest)| rest.to_owned());
        let pairs = |list: &[(String, serde_json::Value)]| {
            list.iter().filter_map(|(name, value)| Some((rest(name)?, value.clone()))).collect()
        };
        let remove = self.remove.iter().filter_map(|name| rest(name)).collect();
        Adjustments { set: pairs(&self.set), default: pairs(&self.default), remove }
    }
}

/// A member at the top level of a body, by its place.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    /// From the name's first quote to the value's end.
    span: Range<usize>,
    value: Range<usize>,
}

/// The changes to the top level of a body.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Values that replace a member's, or are added.
    pub(super) set: Vec<(String, String)>,
    /// Members that are left out.
    pub(super) removed: Vec<String>,
}

impl Changes {
    /// Adds what `adjustments` change in a body with these members. `may_default` says whether a default may replace a
    /// member, because only a translation wrote it.
    pub(super) fn add(
        &mut self,
        adjustments: &Adjustments,
        (body, members): (&[u8], &[Member]),
        may_default: impl Fn(&str) -> bool,
    ) {
        let is_there = |name: &str| members.iter().any(|member| member.name == name) && !may_default(name);
        let is_flat = |name: &str| !name.contains(NESTS);
        let text = |(name, value): &(String, serde_json::Value)| (name.clone(), value.to_string());
        self.removed.extend(adjustments.remove.iter().filter(|name| is_flat(name)).cloned());
        let flat = |list: &[(String, serde_json::Value)]| -> Vec<(String, String)> {
            list.iter().filter(|(name, _)| is_flat(name)).map(text).collect()
        };
        self.set.extend(flat(&adjustments.default).into_iter().filter(|(name, _)| !is_there(name)));
        self.set.extend(flat(&adjustments.set));
        let nests = adjustments.names().any(|name| !is_flat(name));
        for head in if nests { adjustments.heads() } else { Vec::new() } {
            self.nest(head, &adjustments.within(head), body, members);
        }
    }

    /// Changes what stands within a member that is a table, or that is none yet. One that a client wrote otherwise gives way
    /// to what is set, and stays as it is where nothing is.
    fn nest(&mut self, head: &str, within: &Adjustments, body: &[u8], members: &[Member]) {
        let is_removed = self.removed.iter().any(|name| name == head);
        let written = members.iter().rfind(|member| member.name == head).filter(|_| !is_removed);
        let already = self.set.iter().rfind(|(name, _)| name == head).map(|(_, text)| text.as_bytes());
        let text = already.or(written.and_then(|member| body.get(member.value.clone())));
        let is_table = text.is_some_and(|text| text.trim_ascii_start().starts_with(b"{"));
        let is_asked = !within.set.is_empty() || (text.is_none() && !within.default.is_empty());
        if !is_table && !is_asked {
            return;
        }
        let table = text.filter(|_| is_table).unwrap_or(b"{}");
        let inner = self::members(table);
        let mut changes = Changes::default();
        changes.add(within, (table, &inner), |_| false);
        let changed = splice(table, changes.edits(table, &inner));
        if let Ok(changed) = String::from_utf8(changed) {
            self.set.push((head.to_owned(), changed));
        }
    }

    /// The edits for these changes in a body with these members. A member that is set is not removed.
    pub(super) fn edits(self, body: &[u8], members: &[Member]) -> Vec<Edit> {
        let Changes { set, removed } = self;
        let is_set = |name: &str| set.iter().any(|(set, _)| set == name);
        let goes = |member: &Member| removed.contains(&member.name) && !is_set(&member.name);
        let mut edits: Vec<Edit> = Vec::new();
        let kept: Vec<&Member> = members.iter().filter(|member| !goes(member)).collect();
        // A member is removed with the comma behind it; members at the end are removed with the comma before them.
        let last_kept = kept.last().map(|member| member.span.end);
        for (index, member) in members.iter().enumerate().filter(|(_, member)| goes(member)) {
            let next = members.get(index + 1).map(|next| next.span.start);
            match (next, last_kept) {
                (Some(next), Some(last)) if member.span.start < last => {
                    edits.push((member.span.start..next, Vec::new()))
                }
                _ => {}
            }
        }
        let end = match (last_kept, members.first(), members.last()) {
            (Some(last), _, Some(end)) if end.span.end > last => {
                edits.push((last..end.span.end, Vec::new()));
                Some(end.span.end)
            }
            (Some(last), _, _) => Some(last),
            (None, Some(first), Some(end)) => {
                edits.push((first.span.start..end.span.end, Vec::new()));
                Some(end.span.end)
            }
            (None, _, _) => body.iter().position(|byte| *byte == b'{').map(|at| at + 1),
        };
        let mut added = String::new();
        for (index, (name, value)) in set.iter().enumerate() {
            // If a member is set twice, the last value counts.
            if set.iter().skip(index + 1).any(|(other, _)| other == name) {
                continue;
            }
            // If the client wrote the member twice, all of them are replaced, since parsers disagree on which one
            // counts.
            let same: Vec<&&Member> = kept.iter().filter(|member| member.name == *name).collect();
            match same.is_empty() {
                false => edits.extend(same.iter().map(|member| (member.value.clone(), value.clone().into_bytes()))),
                true => {
                    let comma = if kept.is_empty() && added.is_empty() { "" } else { "," };
                    added.push_str(&format!("{comma}{}:{value}", serde_json::Value::from(name.as_str())));
                }
            }
        }
        edits.extend(end.filter(|_| !added.is_empty()).map(|end| (end..end, added.into_bytes())));
        edits
    }
}

/// The members at the top level of a JSON object, in order; none if `body` is no object.
pub(super) fn members(body: &[u8]) -> Vec<Member> {
    let Ok(text) = std::str::from_utf8(body) else { return Vec::new() };
    let mut reader = serde_json::Deserializer::from_str(text);
    let Ok(read) = reader.deserialize_map(MembersVisitor) else { return Vec::new() };
    let mut at = text.find('{').map_or(0, |at| at + 1);
    let mut members = Vec::with_capacity(read.len());
    for (name, raw) in read {
        let start = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        let value = start..start + raw.get().len();
        // Between two members there are only a comma and spaces, so the next quote begins the name.
        let quote =
            text.get(at..value.start).and_then(|between| between.find('"')).map_or(value.start, |quote| at + quote);
        at = value.end;
        members.push(Member { name, span: quote..value.end, value });
    }
    members
}

struct MembersVisitor;

impl<'b> Visitor<'b> for MembersVisitor {
    type Value = Vec<(String, &'b RawValue)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'b>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry::<String, &'b RawValue>()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(body: &str, set: &[(&str, &str)], removed: &[&str]) -> String {
        let members = members(body.as_bytes());
        let changes = Changes {
            set: set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            removed: removed.iter().map(|name| (*name).to_owned()).collect(),
        };
        String::from_utf8(splice(body.as_bytes(), changes.edits(body.as_bytes(), &members))).expect("text")
    }

    #[test]
    fn members_are_replaced_added_and_left_out_and_nothing_else_changes() {
        let body = r#" { "a" : 1.0e+02, "b":[ 1,  2],"c":{"a":0} } "#;
        assert_eq!(changed(body, &[("b", "true")], &[]), r#" { "a" : 1.0e+02, "b":true,"c":{"a":0} } "#);
        assert_eq!(
            changed(body, &[("d", "4"), ("e", "5")], &[]),
            r#" { "a" : 1.0e+02, "b":[ 1,  2],"c":{"a":0},"d":4,"e":5 } "#
        );
        assert_eq!(changed(body, &[], &["a"]), r#" { "b":[ 1,  2],"c":{"a":0} } "#);
        assert_eq!(changed(body, &[], &["b", "c"]), r#" { "a" : 1.0e+02 } "#);
        assert_eq!(changed(body, &[("d", "4")], &["a", "c"]), r#" { "b":[ 1,  2],"d":4 } "#);
        assert_eq!(changed(body, &[("d", "4")], &["a", "b", "c"]), r#" { "d":4 } "#);
        assert_eq!(changed(body, &[("a", "0")], &["a"]), r#" { "a" : 0, "b":[ 1,  2],"c":{"a":0} } "#);
        assert_eq!(changed(body, &[("a", "0"), ("a", "9")], &["none"]), r#" { "a" : 9, "b":[ 1,  2],"c":{"a":0} } "#);
        assert_eq!(changed(r#"{"a":1,"a":2}"#, &[("a", "3")], &[]), r#"{"a":3,"a":3}"#);
        assert_eq!(changed("{}", &[("d", "4")], &["a"]), r#"{"d":4}"#);
        assert_eq!(changed("[1]", &[], &["a"]), "[1]");
        assert_eq!(changed(r#"{"\u0061":1,"b":2}"#, &[], &["a"]), r#"{"b":2}"#);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_changed_the_body_stays_an_object_with_what_was_kept(
            present in proptest::collection::hash_set("[a-f]", 0..5), set in proptest::collection::vec("[a-h]", 0..4),
            removed in proptest::collection::vec("[a-h]", 0..4),
        ) {
            let inner: Vec<String> = present.iter().map(|name| format!(" \"{name}\" : [\"{name}\", 1]")).collect();
            let set: Vec<(&str, &str)> = set.iter().map(|name| (name.as_str(), "\"set\"")).collect();
            let removed: Vec<&str> = removed.iter().map(String::as_str).collect();
            let text = changed(&format!("{{{}}}", inner.join(" ,")), &set, &removed);
            let after: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).expect("an object");
            for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
                let expected = if set.iter().any(|(set, _)| *set == name) {
                    Some(serde_json::json!("set"))
                } else if present.contains(name) && !removed.contains(&name) {
                    Some(serde_json::json!([name, 1]))
                } else {
                    None
                };
                proptest::prop_assert_eq!(after.get(name), expected.as_ref(), "{}", text);
            }
        }
    }

    fn nested(body: &str, set: &[(&str, &str)], default: &[(&str, &str)], remove: &[&str]) -> String {
        let pairs = |list: &[(&str, &str)]| {
            list.iter().map(|(name, value)| ((*name).to_owned(), serde_json::from_str(value).expect("JSON"))).collect()
        };
        let remove = remove.iter().map(|name| (*name).to_owned()).collect();
        let adjustments = Adjustments { set: pairs(set), default: pairs(default), remove };
        let members = members(body.as_bytes());
        let mut changes = Changes::default();
        changes.add(&adjustments, (body.as_bytes(), &members), |_| false);
        String::from_utf8(splice(body.as_bytes(), changes.edits(body.as_bytes(), &members))).expect("text")
    }

    #[test]
    fn a_dotted_name_changes_what_is_within_a_member_and_nothing_beside_it() {
        let body = r#"{"a":{ "x" : 1.0e2, "y":{"z":2} },"b":3}"#;
        assert_eq!(nested(body, &[("a.y.z", "9")], &[], &[]), r#"{"a":{ "x" : 1.0e2, "y":{"z":9} },"b":3}"#);
        assert_eq!(
            nested(body, &[("a.n", "9"), ("a.x", "0")], &[], &[]),
            r#"{"a":{ "x" : 0, "y":{"z":2},"n":9 },"b":3}"#
        );
        assert_eq!(
            nested(body, &[], &[("a.x", "9"), ("a.n", "8")], &[]),
            r#"{"a":{ "x" : 1.0e2, "y":{"z":2},"n":8 },"b":3}"#
        );
        assert_eq!(nested(body, &[], &[], &["a.x", "none.x", "b.x"]), r#"{"a":{ "y":{"z":2} },"b":3}"#);
        assert_eq!(nested(body, &[("b.c", "1")], &[], &[]), r#"{"a":{ "x" : 1.0e2, "y":{"z":2} },"b":{"c":1}}"#);
        assert_eq!(nested(body, &[], &[("b.c", "1")], &[]), body, "what the client wrote stays");
        assert_eq!(nested("{}", &[("a.b.c", "1")], &[("d.e", "2")], &["f.g"]), r#"{"a":{"b":{"c":1}},"d":{"e":2}}"#);
        assert_eq!(nested(body, &[("a.q", "1")], &[], &["a"]), r#"{"a":{"q":1},"b":3}"#);
    }
}
