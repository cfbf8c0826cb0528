//! The console: what people see of llmio in a browser. A page is a pure function of what core's views tell: it does no
//! I/O, reads no clock and draws no random number, and its caller has decided who may see it.
//!
//! A page is made of four things, each in a file of its own: what it shows ([`pages`]), how that is laid out
//! (`templates/NAME.html`), its row in the table of [`routes`], and its words in every language (`words/NAME.rs`). A
//! word that lacks a language does not compile; a text that is shown is escaped, since templates escape all but the few
//! types of `parts`, which are templates themselves. Links never begin with a slash: the console does not know below
//! which path it is served.

pub mod assets;
pub mod changes;
mod chart;
pub mod edit;
pub mod form;
pub mod frame;
pub mod language;
pub mod pack;
pub mod pages;
mod parts;
pub mod query;
pub mod routes;
mod samples;
pub mod show;
mod words;

/// What pages may do: load what is llmio's own and send forms to it. No script or style stands in a page, and scripts make
/// no markup of text.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                          form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
                          require-trusted-types-for 'script'; trusted-types 'none'";

/// The headers of every page.
pub const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    // Without a referrer browsers hide the origin of a form too, by which it is known to be the console's own.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];
