//! The console under `/console/`: who may see a page, what it shows, and what a form changes. Which paths there are and
//! what pages look like is the crate `gateway-console`'s.

mod catalog;
mod edit;
mod keys;
mod look;
mod playground;
mod providers;
mod records;
mod session;
mod state;

use std::rc::Rc;

use gateway_console::form;
use gateway_console::frame::{Frame, Labels, Reader, Theme};
use gateway_console::language::Language;
use gateway_console::pages::{self, EnterPage, ErrorPage, SignInPage};
use gateway_console::query::Query;
use gateway_console::routes::{self, Found, Needs, Page};
use gateway_console::show::Clock;
use gateway_console::{assets, pack};
use gateway_core::authenticate::Caller;
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::uri::encode_parameter;

use crate::host::body::Writer;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::response::{self, Response};
use crate::store::catalog::Snapshot;

/// Every path of the console begins so.
const BELOW: &str = "/console/";

/// One request of a browser, and all that its page is made from.
struct Visit<'a> {
    instance: &'a Rc<Instance>,
    incoming: &'a Rc<Incoming>,
    snapshot: &'a Rc<Snapshot>,
    frame: Frame,
    query: Query,
}

/// What a browser is told.
enum Answer {
    /// A page, with its status.
    Page(u16, String),
    /// The way to another page, relative to this one, and cookies.
    Elsewhere(String, Vec<String>),
    /// A file.
    Asset(assets::Asset),
    /// A page or records that are sent in pieces.
    Pieces(Response),
}

/// Sends a browser that asks for the address itself to the console.
pub(crate) fn root(incoming: &Incoming) -> Option<Reply> {
    let wants_page = incoming.header("accept").is_some_and(|accept| accept.contains("text/html"));
    wants_page.then(|| elsewhere("console/"))
}

/// Adds the slash that every relative link of the console needs.
pub(crate) fn with_slash() -> Reply {
    elsewhere("console/")
}

fn elsewhere(location: &str) -> Reply {
    Reply { status: 303, headers: Vec::new(), body: Vec::new() }
        .with("location", location)
        .with("cache-control", "no-store")
}

/// A page that says why there is none, for a request that is refused before anybody looks who sent it.
pub(crate) fn refuse(incoming: &Incoming, refusal: &Refusal) -> Response {
    let frame = frame(
        incoming,
        Reader::Nobody,
        Clock { zone: gateway_console::show::utc(), now_ms: incoming.at.wall_ms, language: language(incoming) },
    );
    answer(incoming, Answer::Page(refusal.status, pages::html(&ErrorPage::of(&frame, refusal))))
}

/// Answers a request below `/console/`.
pub(crate) async fn serve(instance: &Rc<Instance>, incoming: Incoming, snapshot: &Rc<Snapshot>) -> Response {
    let incoming = &Rc::new(incoming);
    let path = incoming.path.strip_prefix(BELOW).unwrap_or_default();
    let zone = snapshot.catalog.settings.zone.clone();
    let clock = Clock { zone, now_ms: incoming.at.wall_ms, language: language(incoming) };
    let query = incoming.query.as_deref().and_then(Query::parse).unwrap_or_default();
    let mut visit = Visit { instance, incoming, snapshot, frame: frame(incoming, Reader::Nobody, clock), query };
    let providers = snapshot.catalog.providers.iter();
    visit.frame.labels = Labels::of(providers.map(|provider| (&*provider.name, &provider.label)));
    let answered = match routes::find(&incoming.method, path) {
        Found::Page(needs, page, parameter) => visit.enter(needs, page, parameter).await,
        Found::WrongMethod(allow) => Err(Refusal::wrong_method(&incoming.method, &incoming.path, allow.to_owned())),
        Found::Unknown => Err(Refusal::not_found("unknown_page", format!("There is no page {path:?} in the console."))),
    };
    let answered = answered
        .unwrap_or_else(|refusal| Answer::Page(refusal.status, pages::html(&ErrorPage::of(&visit.frame, &refusal))));
    answer(incoming, answered)
}

impl Visit<'_> {
    /// Makes sure of what the page needs, and goes there.
    async fn enter(&mut self, needs: Needs, page: Page, parameter: &str) -> Result<Answer, Refusal> {
        if needs != Needs::Nothing {
            self.frame.reader = session::reader(self).await?;
            match self.frame.reader {
                Reader::Nobody => return Ok(self.to_sign_in()),
                Reader::Holder(_) if needs == Needs::Admin => {
                    return Err(Refusal::forbidden("admin_needed", "Only the holder of the admin token may see this."));
                }
                Reader::Admin | Reader::Holder(_) => {}
            }
        }
        match page {
            Page::Home if self.frame.reader == Reader::Admin => Ok(self.to("overview")),
            Page::Home => Ok(self.to("me")),
            Page::SignIn => {
                Ok(self.page(&SignInPage::of(&self.frame, self.query.get("next").unwrap_or_default(), None)))
            }
            Page::SignInSent => session::sign_in(self).await,
            Page::Enter => Ok(self.page(&EnterPage::of(&self.frame, self.query.get("link").unwrap_or_default()))),
            Page::EnterSent => session::enter(self).await,
            Page::SignOut => session::sign_out(self).await,
            Page::Look => look::change(self).await,
            Page::Records => records::list(self).await,
            Page::RecordsExport => records::export(self),
            Page::RecordsTail => records::tail(self),
            Page::Conversations => records::conversations(self).await,
            Page::Record => records::read(self, parameter).await,
            Page::Bodies => records::download(self, parameter).await,
            Page::BodiesSent => records::forget(self, parameter).await,
            Page::Overview => state::overview(self).await,
            Page::Quota => state::quota(self).await,
            Page::Models => Ok(catalog::models(self, None).await),
            Page::ModelsSent => catalog::make_model(self).await,
            Page::Model => catalog::model(self, parameter, None).await,
            Page::ModelSent => catalog::change_model(self, parameter).await,
            Page::Join => catalog::join(self).await,
            Page::JoinSent => catalog::carry_out_join(self).await,
            Page::Providers => Ok(providers::list(self).await),
            Page::Provider => providers::read(self, parameter, (None, None)).await,
            Page::ProviderSent => providers::change(self, parameter).await,
            Page::AddProvider => Ok(providers::add(self, &self.query, None)),
            Page::AddProviderSent => providers::added(self).await,
            Page::Keys => Ok(keys::list(self, self.snapshot, (None, None)).await),
            Page::KeysSent => keys::make(self).await,
            Page::Key => keys::read(self, parameter, None).await,
            Page::KeySent => keys::change(self, parameter).await,
            Page::Connect => Ok(state::connect(self).await),
            Page::Playground => Ok(playground::show(self)),
            Page::PlaygroundSent => Ok(playground::send(self).await),
            Page::Settings => catalog::settings(self, None).await,
            Page::SettingsSent => catalog::change_settings(self).await,
            Page::History => catalog::history(self).await,
            Page::Version => catalog::version(self, parameter, None).await,
            Page::VersionSent => catalog::put_back(self, parameter).await,
            Page::Me => state::me(self, None).await,
            Page::MeSent => state::lower(self).await,
            Page::Asset => {
                let unknown = || Refusal::not_found("unknown_asset", "There is no such file in this version.");
                assets::find(parameter).map(Answer::Asset).ok_or_else(unknown)
            }
        }
    }

    /// A page of status 200.
    fn page(&self, page: &impl pages::Template) -> Answer {
        Answer::Page(200, pages::html(page))
    }

    /// The way to a page of the console.
    fn to(&self, page: &str) -> Answer {
        Answer::Elsewhere(self.frame.link(page), Vec::new())
    }

    /// Who has signed in, as the caller of a call.
    fn caller(&self) -> Caller {
        match &self.frame.reader {
            Reader::Nobody => Caller::Anyone,
            Reader::Admin => Caller::Admin,
            Reader::Holder(key) => Caller::Key(key.as_str().into()),
        }
    }

    /// The way to the sign-in form, which leads back here.
    fn to_sign_in(&self) -> Answer {
        match self.frame.here.as_str() {
            "" => self.to("sign-in"),
            here => self.to(&format!("sign-in?next={}", encode_parameter(here))),
        }
    }

    /// The fields of a form.
    async fn form(&self) -> Result<Query, Refusal> {
        let most = if self.frame.reader == Reader::Nobody { form::BYTES_MAX } else { form::BYTES_MAX_SIGNED_IN };
        let is_small = self.incoming.announced().is_some_and(|bytes| bytes <= most);
        if !is_small {
            return Err(Refusal::bad_request(
                "A form of the console must state its length: at most 16 KiB, or 256 KiB once you are signed in.",
            ));
        }
        let body = self.incoming.body().await?;
        form::fields(&body.bytes).ok_or_else(|| Refusal::bad_request("The form is not UTF-8."))
    }
}

/// The frame of a page, by what the browser says and the reader has chosen.
fn frame(incoming: &Incoming, reader: Reader, clock: Clock) -> Frame {
    let path = incoming.path.strip_prefix(BELOW).unwrap_or_default();
    let here = match incoming.query.as_deref().filter(|_| incoming.method == "GET") {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let theme = form::cookie(&incoming.headers, look::THEME).and_then(Theme::named).unwrap_or(Theme::Browser);
    Frame { reader, language: clock.language, theme, here, clock, labels: Labels::default() }
}

fn language(incoming: &Incoming) -> Language {
    let chosen = form::cookie(&incoming.headers, look::LANGUAGE).and_then(Language::tagged);
    chosen.unwrap_or_else(|| Language::accepted(incoming.header("accept-language").unwrap_or_default()))
}

/// Sends an answer. A page is made for one reader and kept by nobody.
fn answer(incoming: &Incoming, answer: Answer) -> Response {
    let takes_gzip = incoming.header("accept-encoding").is_some_and(pack::is_taken);
    let mut headers = headers();
    let (status, body, is_packed) = match answer {
        Answer::Page(status, html) => {
            headers.push(("content-type", "text/html; charset=utf-8".to_owned()));
            match pack::pack(html.as_bytes()).filter(|_| takes_gzip) {
                Some(packed) => (status, packed, true),
                None => (status, html.into_bytes(), false),
            }
        }
        Answer::Asset(asset) => {
            headers.retain(|(name, _)| *name != "cache-control");
            headers.push(("cache-control", assets::CACHE.to_owned()));
            headers.push(("content-type", asset.media_type.to_owned()));
            match pack::unpack(asset.packed).filter(|_| !takes_gzip) {
                Some(plain) => (200, plain, false),
                None => (200, asset.packed.to_vec(), true),
            }
        }
        Answer::Pieces(response) => return response,
        Answer::Elsewhere(location, cookies) => {
            headers.push(("location", location));
            headers.extend(cookies.into_iter().map(|cookie| ("set-cookie", cookie)));
            (303, Vec::new(), false)
        }
    };
    if is_packed {
        headers.push(("content-encoding", "gzip".to_owned()));
    }
    response::page(status, in_bytes(headers), body, incoming.method == "HEAD")
}

/// The headers of every answer of the console.
fn headers() -> Vec<(&'static str, String)> {
    let mut headers: Vec<(&str, String)> =
        gateway_console::HEADERS.map(|(name, value)| (name, value.to_owned())).into();
    headers.push(("vary", "accept-encoding, cookie, accept-language".to_owned()));
    headers
}

fn in_bytes(headers: Vec<(&str, String)>) -> Vec<(String, Vec<u8>)> {
    headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect()
}

/// Begins a page that comes in pieces, and returns what writes the others.
fn begun() -> (Response, Writer) {
    let mut headers = headers();
    headers.push(("content-type", "text/html; charset=utf-8".to_owned()));
    // Proxies that buffer an answer would otherwise show nothing until it is whole.
    headers.push(("x-accel-buffering", "no".to_owned()));
    response::head_as_it_is(200, &in_bytes(headers))
}
