//! Which requests of a web page the admin API and the console accept. A page cannot read llmio's answers, but it can send requests to
//! an address on its visitor's machine or network, and its own domain can be made to resolve there (DNS rebinding). So
//! they only answer under host names that are certainly llmio's, and change nothing for other origins.

use std::net::IpAddr;

use super::is_own;
use crate::refusal::Refusal;
use crate::uri::{authority_of, host_of};

/// What a browser says about where a request comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Visit<'a> {
    /// The method in capitals.
    pub method: &'a str,
    /// The path without the query.
    pub path: &'a str,
    /// The host the request names, with its port.
    pub authority: Option<&'a str>,
    /// The header `origin`.
    pub origin: Option<&'a str>,
    /// The header `sec-fetch-site`.
    pub fetch_site: Option<&'a str>,
    /// The address under which the operator says that llmio is reached; empty if there is none.
    pub public_url: &'a str,
}

impl Visit<'_> {
    /// Whether the request may be served. Calls of the proxied APIs may come from anywhere.
    pub fn check(&self) -> Result<(), Refusal> {
        if !is_own(self.path) {
            return Ok(());
        }
        let authority = self.authority.unwrap_or_default();
        let public = authority_of(self.public_url);
        if !names_this_machine(authority) && !is_same_host(authority, public) {
            let message = format!(
                "The admin API and the console are not served as {authority:?}, so that no page can reach it under a name of its own. Use \
                 the address itself, or set LLMIO_PUBLIC_URL (under Spin the variable `public_url`) to the URL it has."
            );
            return Err(Refusal::misdirected(message));
        }
        let reads = matches!(self.method, "GET" | "HEAD");
        if !reads && !self.is_of_same_origin(authority, public) {
            let message = "Pages of other origins may not change anything here. Send the request from llmio's own address, \
                        or without a browser.";
            return Err(Refusal::forbidden("cross_origin", message));
        }
        Ok(())
    }

    /// Whether the request comes from llmio's own pages. Only browsers send these headers, and no page can choose them.
    fn is_of_same_origin(&self, authority: &str, public: &str) -> bool {
        let site = self.fetch_site.is_none_or(|site| matches!(site, "same-origin" | "none"));
        let origin = self.origin.is_none_or(|origin| {
            let origin = authority_of(origin);
            !origin.is_empty() && (origin.eq_ignore_ascii_case(authority) || origin.eq_ignore_ascii_case(public))
        });
        site && origin
    }
}

/// Whether the host is an address, or a name below `localhost`: nobody can make these point elsewhere.
fn names_this_machine(authority: &str) -> bool {
    let host = host_of(authority).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok()
}

fn is_same_host(authority: &str, public: &str) -> bool {
    !public.is_empty() && host_of(authority).eq_ignore_ascii_case(host_of(public))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Visit<'_> = Visit {
        method: "PUT",
        path: "/api/catalog",
        authority: Some("127.0.0.1:7070"),
        origin: None,
        fetch_site: None,
        public_url: "",
    };

    fn status(visit: Visit<'_>) -> u16 {
        visit.check().map_or_else(|refusal| refusal.status, |()| 200)
    }

    #[test]
    fn the_api_is_served_under_names_that_nobody_else_can_have() {
        for authority in ["127.0.0.1:7070", "localhost", "LOCALHOST:7070", "x.localhost", "[::1]:7070", "10.0.0.5"] {
            assert_eq!(status(Visit { authority: Some(authority), ..HOME }), 200, "{authority}");
        }
        for authority in ["evil.example", "127.0.0.1.nip.io:7070", "localhost.example", "", "[evil]:1"] {
            assert_eq!(status(Visit { authority: Some(authority), ..HOME }), 421, "{authority}");
            let reads = Visit { method: "GET", authority: Some(authority), ..HOME };
            assert_eq!(status(reads), 421, "{authority}");
        }
    }

    #[test]
    fn the_operators_own_url_is_served_and_a_refusal_names_the_setting() {
        let visit = Visit { authority: Some("llm.example"), ..HOME };
        assert!(visit.check().is_err_and(|refusal| refusal.message.contains("LLMIO_PUBLIC_URL")));
        assert_eq!(status(Visit { public_url: "https://LLM.example/llmio/", ..visit }), 200);
        assert_eq!(status(Visit { public_url: "https://other.example", ..visit }), 421);
    }

    #[test]
    fn the_proxied_apis_are_served_under_any_name_to_any_page() {
        let origin = Some("https://page.example");
        let call = Visit { path: "/v1/messages", authority: Some("any.example"), origin, ..HOME };
        assert_eq!(status(Visit { fetch_site: Some("cross-site"), ..call }), 200);
    }

    #[test]
    fn pages_of_other_origins_change_nothing() {
        for origin in ["https://page.example", "null", "http://127.0.0.1:8080", ""] {
            assert_eq!(status(Visit { origin: Some(origin), ..HOME }), 403, "{origin}");
        }
        for fetch_site in ["cross-site", "same-site", "new"] {
            assert_eq!(status(Visit { fetch_site: Some(fetch_site), ..HOME }), 403, "{fetch_site}");
        }
        let own = Visit { origin: Some("http://127.0.0.1:7070"), fetch_site: Some("same-origin"), ..HOME };
        assert_eq!(status(own), 200);
        let public_url = "https://llm.example";
        let behind_tls = Visit { origin: Some(public_url), authority: Some("llm.example"), public_url, ..HOME };
        assert_eq!(status(behind_tls), 200);
        assert_eq!(status(Visit { method: "GET", fetch_site: Some("cross-site"), ..HOME }), 200, "no page can read it");
    }
}
