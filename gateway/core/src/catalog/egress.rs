//! The egress to a provider: a proxy, or the relay of another llmio, instead of a direct connection.
//!
//! The URL of a proxy is one secret as a whole, for it may hold a password. What is shown of it is host and port.

use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use super::{Credential, Provider, Secret, Value};
use crate::uri::{decode_parameter, host_and_port};

/// The port of a proxy whose URL names none.
const PORTS: [(&str, u16); 4] = [("http", 80), ("https", 443), ("socks5", 1080), ("socks5h", 1080)];

/// How requests to a provider, or with one of its credentials, leave.
#[derive(Debug, Clone, PartialEq)]
pub enum Egress {
    /// Through a proxy. Only llmio's own runner can.
    Proxy(ProxyEgress),
    /// To the relay of another llmio, which stands for the provider's origin.
    Relay(RelayEgress),
}

/// An egress proxy.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyEgress {
    /// Its URL.
    pub url: Value,
    /// The key of its health, computed once: every call looks it up.
    key: OnceLock<Arc<str>>,
}

impl ProxyEgress {
    /// The proxy at this URL.
    pub fn new(url: Value) -> Self {
        ProxyEgress { url, key: OnceLock::new() }
    }
}

/// A relay of another llmio.
#[derive(Debug, Clone, PartialEq)]
pub struct RelayEgress {
    /// Its address, which is its name in records and messages and the key of its health.
    pub name: Arc<str>,
    /// `true` for `https`.
    pub tls: bool,
    /// Host and optional port.
    pub authority: String,
    /// Path before the provider's own, with a leading and no trailing slash, or empty.
    pub path: String,
    /// The key for the relay. A public relay needs none.
    pub key: Option<Value>,
    /// Whether its exact host and port may be a private or loopback address.
    pub local: bool,
}

impl Egress {
    /// Its one secret, where it has one.
    pub fn secret(&self) -> Option<&Value> {
        match self {
            Egress::Proxy(proxy) => Some(&proxy.url),
            Egress::Relay(relay) => relay.key.as_ref(),
        }
    }

    /// Whether all its secrets are available.
    pub fn is_known(&self) -> bool {
        self.secret().is_none_or(|secret| secret.known().is_some())
    }

    /// Its name in records and messages: the proxy's host and port, or the relay's address. `None` while the URL of a
    /// proxy is unknown.
    pub fn name(&self) -> Option<String> {
        match self {
            Egress::Proxy(_) => Some(self.address()?.name()),
            Egress::Relay(relay) => Some(relay.name.to_string()),
        }
    }

    /// The key of its health. It includes the user, since two users of one proxy may leave it in different countries.
    pub fn key(&self) -> Option<&Arc<str>> {
        let proxy = match self {
            Egress::Relay(relay) => return Some(&relay.name),
            Egress::Proxy(proxy) => proxy,
        };
        if proxy.key.get().is_none() {
            let key = self.proxy_key()?;
            return Some(proxy.key.get_or_init(|| key.into()));
        }
        proxy.key.get()
    }

    fn proxy_key(&self) -> Option<String> {
        let address = self.address()?;
        let user = address.user.map(|user| user.split(':').next().unwrap_or_default());
        Some(match user {
            None => address.name(),
            Some(user) => {
                let digest = Sha256::digest(user.as_bytes());
                let hex: String = digest.iter().take(3).map(|byte| format!("{byte:02x}")).collect();
                format!("{}~{hex}", address.name())
            }
        })
    }

    /// The proxy's URL for the host's instruction, which ends an item at each `;`.
    pub fn instruction(&self) -> Option<String> {
        let (scheme, rest) = self.url()?.split_once("://")?;
        Some(format!("{}://{}", scheme.to_ascii_lowercase(), rest.replace(';', "%3B")))
    }

    /// Its secrets: a proxy's password, both as written and decoded, or the key for a relay.
    pub fn secret_parts(&self) -> Vec<String> {
        match self {
            Egress::Relay(relay) => {
                relay.key.iter().filter_map(Value::known).map(|key| key.expose().to_owned()).collect()
            }
            Egress::Proxy(_) => {
                let user = self.address().and_then(|address| address.user);
                let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
                password
                    .into_iter()
                    .flat_map(|password| [Some(password.to_owned()), decode_parameter(password)])
                    .flatten()
                    .collect()
            }
        }
    }

    fn url(&self) -> Option<&str> {
        match self {
            Egress::Proxy(proxy) => proxy.url.known().map(Secret::expose),
            Egress::Relay(_) => None,
        }
    }

    fn address(&self) -> Option<Address<'_>> {
        let (scheme, rest) = self.url()?.split_once("://")?;
        let (user, authority) = match rest.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, rest),
        };
        Some(Address { scheme, user, authority: authority.trim_end_matches('/') })
    }
}

struct Address<'u> {
    scheme: &'u str,
    user: Option<&'u str>,
    authority: &'u str,
}

impl Address<'_> {
    fn name(&self) -> String {
        let known = PORTS.iter().find(|(scheme, _)| self.scheme.eq_ignore_ascii_case(scheme));
        match known {
            Some((_, port)) => host_and_port(self.authority, *port),
            None => self.authority.to_ascii_lowercase(),
        }
    }
}

impl Provider {
    /// The egress of this credential: its own, else that of the provider.
    pub fn egress_of<'c>(&'c self, credential: Option<&'c Credential>) -> Option<&'c Egress> {
        credential.and_then(|credential| credential.egress.as_ref()).or(self.egress.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress(url: &str) -> Egress {
        Egress::Proxy(ProxyEgress::new(Value::Plain(Secret::new(url))))
    }

    #[test]
    fn a_proxy_is_called_by_host_and_port_and_never_by_its_user() {
        for (url, name) in [
            ("http://proxy.example:7890", "proxy.example:7890"),
            ("HTTP://Proxy.Example/", "proxy.example:80"),
            ("https://u:p%40ss@proxy.example", "proxy.example:443"),
            ("socks5h://u@[::1]", "[::1]:1080"),
            ("socks5://[::1]:9", "[::1]:9"),
        ] {
            assert_eq!(egress(url).name().as_deref(), Some(name), "{url}");
        }
        assert_eq!(Egress::Proxy(ProxyEgress::new(Value::Missing("x".into()))).name(), None);
    }

    #[test]
    fn two_users_of_a_proxy_have_a_health_each_whatever_their_passwords() {
        let key = |url: &str| egress(url).key().expect("known").clone();
        assert_eq!(&*key("http://p.example:1"), "p.example:1");
        assert_eq!(key("http://us:one@p.example:1"), key("http://us:two@p.example:1"));
        assert_ne!(key("http://us:one@p.example:1"), key("http://jp:one@p.example:1"));
        assert!(!key("http://user-us:one@p.example:1").contains("user"));
    }

    #[test]
    fn a_password_cannot_end_the_hosts_instruction() {
        let url = egress("HTTP://u:a;local@p.example:1").instruction();
        assert_eq!(url.as_deref(), Some("http://u:a%3Blocal@p.example:1"));
    }
}
