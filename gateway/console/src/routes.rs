//! Every path of the console, below `console/`, and who may go there.

/// The readers who may see a page or send a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: public by design.
    Nothing,
    /// A session, of the admin or of the holder of a key.
    Session,
    /// A session of the admin.
    Admin,
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The first page of whoever has signed in.
    Home,
    /// The form that asks for a token or key.
    SignIn,
    /// What that form is sent to.
    SignInSent,
    /// A one-time link: a button, so that whoever only looks at the link does not use it up.
    Enter,
    /// What that button sends.
    EnterSent,
    /// Ends the session.
    SignOut,
    /// Sets language or theme.
    Look,
    /// What is happening.
    Overview,
    /// Every call.
    Records,
    /// All calls that fit, as a file.
    RecordsExport,
    /// The calls that come from now on.
    RecordsTail,
    /// Calls that belong together.
    Conversations,
    /// One call.
    Record,
    /// What was said in it, as a file.
    Bodies,
    /// What a form deletes of that.
    BodiesSent,
    /// What is left.
    Quota,
    /// Every model.
    Models,
    /// One model.
    Model,
    /// What a form of the models' page makes.
    ModelsSent,
    /// What a form of a model's page changes.
    ModelSent,
    /// Models of providers that become one.
    Join,
    /// What of them is added.
    JoinSent,
    /// Every provider.
    Providers,
    /// One provider.
    Provider,
    /// What a form of a provider's page changes.
    ProviderSent,
    /// A provider that is added.
    AddProvider,
    /// Its keys, to be checked or saved.
    AddProviderSent,
    /// The keys that clients call with.
    Keys,
    /// A key that is made.
    KeysSent,
    /// One key.
    Key,
    /// What a form of its page changes.
    KeySent,
    /// How clients are connected.
    Connect,
    /// A model to talk to.
    Playground,
    /// What is said to it.
    PlaygroundSent,
    /// What else there is.
    Settings,
    /// What a form of the settings changes.
    SettingsSent,
    /// Who changed the catalog.
    History,
    /// A version of the catalog.
    Version,
    /// A version that is put back.
    VersionSent,
    /// What the holder of a key sees of itself.
    Me,
    /// What it wants to be kept.
    MeSent,
    /// A file of the console.
    Asset,
}

struct Route {
    method: &'static str,
    /// `{}` takes one segment, or the rest at the end of an asset's path.
    path: &'static str,
    needs: Needs,
    page: Page,
}

const fn row(method: &'static str, path: &'static str, needs: Needs, page: Page) -> Route {
    Route { method, path, needs, page }
}

const ROUTES: &[Route] = &[
    row("GET", "", Needs::Session, Page::Home),
    row("GET", "sign-in", Needs::Nothing, Page::SignIn),
    row("POST", "sign-in", Needs::Nothing, Page::SignInSent),
    row("GET", "enter", Needs::Nothing, Page::Enter),
    row("POST", "enter", Needs::Nothing, Page::EnterSent),
    row("POST", "sign-out", Needs::Nothing, Page::SignOut),
    row("POST", "look", Needs::Nothing, Page::Look),
    row("GET", "records", Needs::Session, Page::Records),
    row("GET", "records/export", Needs::Session, Page::RecordsExport),
    row("GET", "records/tail", Needs::Session, Page::RecordsTail),
    row("GET", "records/{}", Needs::Session, Page::Record),
    row("GET", "bodies/{}", Needs::Session, Page::Bodies),
    row("POST", "bodies/{}", Needs::Admin, Page::BodiesSent),
    row("GET", "sessions", Needs::Session, Page::Conversations),
    row("GET", "overview", Needs::Admin, Page::Overview),
    row("GET", "quota", Needs::Admin, Page::Quota),
    row("GET", "models", Needs::Admin, Page::Models),
    row("POST", "models", Needs::Admin, Page::ModelsSent),
    row("GET", "models/{}", Needs::Admin, Page::Model),
    row("POST", "models/{}", Needs::Admin, Page::ModelSent),
    row("GET", "join", Needs::Admin, Page::Join),
    row("POST", "join", Needs::Admin, Page::JoinSent),
    row("GET", "providers", Needs::Admin, Page::Providers),
    row("GET", "providers/{}", Needs::Admin, Page::Provider),
    row("POST", "providers/{}", Needs::Admin, Page::ProviderSent),
    row("GET", "add-provider", Needs::Admin, Page::AddProvider),
    row("POST", "add-provider", Needs::Admin, Page::AddProviderSent),
    row("GET", "keys", Needs::Admin, Page::Keys),
    row("POST", "keys", Needs::Admin, Page::KeysSent),
    row("GET", "keys/{}", Needs::Admin, Page::Key),
    row("POST", "keys/{}", Needs::Admin, Page::KeySent),
    row("GET", "connect", Needs::Session, Page::Connect),
    row("GET", "playground", Needs::Session, Page::Playground),
    row("POST", "playground", Needs::Session, Page::PlaygroundSent),
    row("GET", "settings", Needs::Admin, Page::Settings),
    row("POST", "settings", Needs::Admin, Page::SettingsSent),
    row("GET", "history", Needs::Admin, Page::History),
    row("GET", "history/{}", Needs::Admin, Page::Version),
    row("POST", "history/{}", Needs::Admin, Page::VersionSent),
    row("GET", "me", Needs::Session, Page::Me),
    row("POST", "me", Needs::Session, Page::MeSent),
    row("GET", "assets/{}", Needs::Nothing, Page::Asset),
];

/// What the table says of a method and a path.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'p> {
    /// A page, and what stood in the place of its `{}`, still percent-encoded.
    Page(Needs, Page, &'p str),
    /// The path exists, with this method.
    WrongMethod(&'static str),
    /// No such path.
    Unknown,
}

/// Looks up a path below `console/`. What is read with GET answers HEAD too.
pub fn find<'p>(method: &str, path: &'p str) -> Found<'p> {
    let method = if method == "HEAD" { "GET" } else { method };
    let mut other = None;
    for route in ROUTES {
        let Some(rest) = matches(route, path) else { continue };
        if route.method == method {
            return Found::Page(route.needs, route.page, rest);
        }
        other = Some(route.method);
    }
    other.map_or(Found::Unknown, Found::WrongMethod)
}

fn matches<'p>(route: &Route, path: &'p str) -> Option<&'p str> {
    let Some(prefix) = route.path.strip_suffix("{}") else { return (route.path == path).then_some("") };
    let rest = path.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
    (route.page == Page::Asset || !rest.contains('/')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_its_page_and_to_no_other() {
        for (method, path, found) in [
            ("GET", "", Found::Page(Needs::Session, Page::Home, "")),
            ("HEAD", "records", Found::Page(Needs::Session, Page::Records, "")),
            ("GET", "records/a%2Fb", Found::Page(Needs::Session, Page::Record, "a%2Fb")),
            ("GET", "assets/0/console.css", Found::Page(Needs::Nothing, Page::Asset, "0/console.css")),
            ("POST", "sign-in", Found::Page(Needs::Nothing, Page::SignInSent, "")),
            ("POST", "records", Found::WrongMethod("GET")),
            ("GET", "records/", Found::Unknown),
            ("GET", "records/a/b", Found::Unknown),
            ("GET", "nothing", Found::Unknown),
        ] {
            assert_eq!(find(method, path), found, "{method} {path}");
        }
    }

    #[test]
    fn what_needs_nothing_shows_nothing() {
        let open: Vec<&str> = ROUTES.iter().filter(|r| r.needs == Needs::Nothing).map(|route| route.path).collect();
        assert_eq!(open, ["sign-in", "sign-in", "enter", "enter", "sign-out", "look", "assets/{}"]);
    }
}
