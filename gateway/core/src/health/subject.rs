//! Whatever can be in trouble, with one name each. A subject is made of names that it shares with the catalog, so that
//! it is made, cloned and looked up without writing a text; its [`key`](Subject::key) is for stores and people.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A subject of attempts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Subject {
    /// The address of a host, for everybody who connects to it directly: scheme, host and port.
    Address(Arc<str>),
    /// A credential on all models, by its id.
    Credential(Arc<str>),
    /// An egress proxy or relay, by its key, for everybody who uses it.
    Egress(Arc<str>),
    /// An egress as one provider sees it.
    Place {
        /// The key of the egress; `None` without an egress.
        way: Option<Arc<str>>,
        /// The provider that is called through it.
        provider: Arc<str>,
    },
    /// A credential, or a provider that is called without one, on some of its models.
    Lane {
        /// The credential's id or the provider's name.
        account: Arc<str>,
        /// The models.
        models: Models,
    },
    /// A model at a provider.
    Target {
        /// The provider's name.
        provider: Arc<str>,
        /// The models.
        models: Models,
    },
}

/// Some of a provider's models.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Models {
    /// All models that clients name and that are not kept apart.
    Any,
    /// All models that the provider offers for free.
    Free,
    /// One model, by the provider's own name for it.
    One(Arc<str>),
}

/// The key of the way out without an egress.
pub const DIRECT: &str = "direct";

const ANY: &str = "*";

/// How OpenRouter marks free models: <https://openrouter.ai/docs/api-reference/limits>.
const FREE_MARK: &str = ":free";
const FREE: &str = "*:free";

impl Models {
    /// The model of this name. No model's name contains a star, so names with a star stand for several models.
    pub fn of(name: Arc<str>) -> Self {
        match &*name {
            ANY => Models::Any,
            FREE => Models::Free,
            _ => Models::One(name),
        }
    }

    /// Whether a model is free, as far as its name says so.
    pub(super) fn is_free(name: &str) -> bool {
        name.ends_with(FREE_MARK)
    }

    /// Whether the provider's model of this name may be one of them.
    pub fn covers(&self, upstream_model: &str) -> bool {
        match self {
            Models::Any => true,
            Models::Free => Models::is_free(upstream_model),
            Models::One(name) => **name == *upstream_model,
        }
    }

    /// The name of the models.
    pub fn name(&self) -> &str {
        match self {
            Models::Any => ANY,
            Models::Free => FREE,
            Models::One(name) => name,
        }
    }
}

impl Subject {
    /// A target by the provider's name and its own name for the model.
    pub fn target(provider: Arc<str>, models: Models) -> Self {
        Subject::Target { provider, models }
    }

    /// The kind of subject, as keys and the admin API name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Subject::Address(_) => "address",
            Subject::Credential(_) => "credential",
            Subject::Egress(_) | Subject::Place { .. } => "egress",
            Subject::Lane { .. } => "lane",
            Subject::Target { .. } => "target",
        }
    }

    /// Its name in stores and for people: `lane/c-1/gpt-5`. Names of providers and ids of credentials contain no slash,
    /// and other names are escaped if another name follows, so that each key belongs to one subject.
    pub fn key(&self) -> String {
        let kind = self.kind();
        match self {
            Subject::Address(address) => format!("{kind}/{address}"),
            Subject::Credential(id) => format!("{kind}/{id}"),
            Subject::Egress(way) => format!("{kind}/{}", escaped(way)),
            Subject::Place { way, provider } => {
                format!("{kind}/{}/{provider}", escaped(way.as_deref().unwrap_or(DIRECT)))
            }
            Subject::Lane { account, models } => format!("{kind}/{account}/{}", models.name()),
            Subject::Target { provider, models } => format!("{kind}/{provider}/{}", models.name()),
        }
    }

    /// The subject with this key; `None` if there is none.
    pub fn parse(key: &str) -> Option<Self> {
        let (kind, rest) = key.split_once('/')?;
        let subject = match (kind, rest.split_once('/')) {
            ("address", _) if is_address(rest) => Subject::Address(rest.into()),
            ("credential", None) => Subject::Credential(rest.into()),
            ("egress", None) => Subject::Egress(unescaped(rest).into()),
            ("egress", Some((way, provider))) if !provider.contains('/') => {
                let way = (way != DIRECT).then(|| unescaped(way).into());
                Subject::Place { way, provider: provider.into() }
            }
            ("lane", Some((account, model))) => {
                Subject::Lane { account: account.into(), models: Models::of(model.into()) }
            }
            ("target", Some((provider, model))) => Subject::target(provider.into(), Models::of(model.into())),
            _ => return None,
        };
        // A key in the form of an older llmio belongs to no subject.
        (subject.key() == key).then_some(subject)
    }
}

fn is_address(text: &str) -> bool {
    let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    authority.is_some_and(|authority| !authority.is_empty() && !authority.contains('/'))
}

/// Escapes the slashes in the address of a relay.
fn escaped(way: &str) -> Cow<'_, str> {
    if way.contains(['/', '%']) { way.replace('%', "%25").replace('/', "%2F").into() } else { way.into() }
}

fn unescaped(way: &str) -> String {
    way.replace("%2F", "/").replace("%25", "%")
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key())
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.key()
    }
}

impl TryFrom<String> for Subject {
    type Error = String;

    fn try_from(key: String) -> Result<Self, String> {
        Subject::parse(&key).ok_or_else(|| format!("{key:?} is no subject"))
    }
}

#[cfg(test)]
impl PartialEq<&str> for Subject {
    fn eq(&self, key: &&str) -> bool {
        self.key() == *key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str) -> Models {
        Models::One(name.into())
    }

    #[test]
    fn each_subject_has_a_key_of_its_own_and_is_found_by_it() {
        let place = |way: Option<&str>| Subject::Place { way: way.map(Into::into), provider: "p".into() };
        let lane = |models| Subject::Lane { account: "c-1".into(), models };
        for (subject, key) in [
            (Subject::Address("https://[::1]:8443".into()), "address/https://[::1]:8443"),
            (Subject::Credential("c-1".into()), "credential/c-1"),
            (Subject::Egress("proxy.example:80~0a1b2c".into()), "egress/proxy.example:80~0a1b2c"),
            (Subject::Egress("edge.example/relay/100%".into()), "egress/edge.example%2Frelay%2F100%25"),
            (place(None), "egress/direct/p"),
            (place(Some("[::1]:1080")), "egress/[::1]:1080/p"),
            (place(Some("edge.example/relay/g")), "egress/edge.example%2Frelay%2Fg/p"),
            (lane(one("q/coder:free")), "lane/c-1/q/coder:free"),
            (lane(Models::Free), "lane/c-1/*:free"),
            (lane(Models::Any), "lane/c-1/*"),
            (Subject::target("p".into(), one("a/b")), "target/p/a/b"),
        ] {
            assert_eq!((subject.key().as_str(), Subject::parse(key)), (key, Some(subject)), "{key}");
        }
    }

    #[test]
    fn what_no_subject_is_called_is_none() {
        for key in [
            "",
            "lane",
            "lane/c-1",
            "address/a:80",
            "address/http://",
            "address/http://a:80/v1",
            "credential/a/b",
            "egress/a/relay/b",
            "egress/a%2fb",
            "whole/p/m",
        ] {
            assert_eq!(Subject::parse(key), None, "{key}");
        }
    }

    #[test]
    fn a_subject_is_written_as_its_key() {
        let lane = Subject::Lane { account: "p".into(), models: one("m") };
        let text = serde_json::to_string(&lane).unwrap();
        assert_eq!((text.as_str(), serde_json::from_str(&text).ok()), (r#""lane/p/m""#, Some(lane)));
        assert!(serde_json::from_str::<Subject>(r#""somewhere""#).is_err());
    }
}
