//! What surrounds every page: who reads it, in which language, and the links to the other pages.

use std::collections::BTreeMap;
use std::rc::Rc;

use gateway_core::catalog::ProviderLabel;

use crate::assets;
use crate::language::Language;
use crate::parts::{Icon, Monogram, Time};
use crate::routes::Page;
use crate::show::Clock;
use crate::words::frame::Words;

/// The person who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reader {
    /// Nobody.
    Nobody,
    /// The admin.
    Admin,
    /// The holder of the key of this name.
    Holder(String),
}

/// Light or dark, if a reader wants another theme than that of the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// As the browser says.
    Browser,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The theme that a cookie or a form names.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "light" => Some(Self::Light),
            "dark" => Some(Self::Dark),
            _ => None,
        }
    }
}

/// The frame of one page for one reader.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The reader.
    pub reader: Reader,
    /// In which language.
    pub language: Language,
    /// Light or dark.
    pub theme: Theme,
    /// The path of the page below `console/`, with its query: where a switch leads back to.
    pub here: String,
    /// When, and in whose time.
    pub clock: Clock,
    /// How providers are marked.
    pub labels: Labels,
}

/// How providers are marked that do not leave it to their names.
#[derive(Debug, Clone, Default)]
pub struct Labels(Rc<BTreeMap<String, ProviderLabel>>);

impl Labels {
    /// Those of these providers.
    pub fn of<'p>(providers: impl Iterator<Item = (&'p str, &'p ProviderLabel)>) -> Self {
        let marked = providers.filter(|(_, label)| **label != ProviderLabel::default());
        Labels(Rc::new(marked.map(|(name, label)| (name.to_owned(), label.clone())).collect()))
    }
}

/// A page in the navigation.
struct Place {
    page: Page,
    link: &'static str,
    icon: &'static str,
    word: fn(Words) -> &'static str,
    is_for: For,
    /// Whether it is in the bar on a phone; the others are behind More.
    is_in_bar: bool,
}

/// Whose a page is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Admin,
    Holders,
    Both,
}

const fn place(
    page: Page,
    link: &'static str,
    icon: &'static str,
    word: fn(Words) -> &'static str,
    is_for: For,
    is_in_bar: bool,
) -> Place {
    Place { page, link, icon, word, is_for, is_in_bar }
}

/// The pages there are, in groups.
const PLACES: &[&[Place]] = &[
    &[
        place(Page::Me, "me", "overview", Words::me, For::Holders, true),
        place(Page::Overview, "overview", "overview", Words::overview, For::Admin, true),
        place(Page::Records, "records", "records", Words::records, For::Both, true),
        place(Page::Quota, "quota", "quota", Words::quota, For::Admin, true),
    ],
    &[
        place(Page::Models, "models", "models", Words::models, For::Admin, false),
        place(Page::Providers, "providers", "providers", Words::providers, For::Admin, false),
        place(Page::Keys, "keys", "keys", Words::keys, For::Admin, false),
    ],
    &[
        place(Page::Connect, "connect", "connect", Words::connect, For::Both, true),
        place(Page::Playground, "playground", "playground", Words::playground, For::Both, false),
        place(Page::Settings, "settings", "settings", Words::settings, For::Admin, false),
    ],
];

/// A link of the navigation.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) href: String,
    pub(crate) icon: Icon,
    pub(crate) word: &'static str,
    pub(crate) is_here: bool,
}

impl Frame {
    /// The mark of a provider.
    pub(crate) fn monogram(&self, provider: &str, failed: bool) -> Monogram {
        Monogram::of(provider, self.labels.0.get(provider), failed)
    }

    /// The frame's own words.
    pub(crate) fn words(&self) -> Words {
        Words(self.language)
    }

    /// The way from this page to the console's first one.
    pub(crate) fn root(&self) -> &'static str {
        let path = self.here.split('?').next().unwrap_or_default();
        match path.matches('/').count() {
            0 => "",
            1 => "../",
            _ => "../../",
        }
    }

    /// A page or a file of the console.
    pub fn link(&self, page: &str) -> String {
        format!("{}{page}", self.root())
    }

    /// The page itself, once more.
    pub(crate) fn here_again(&self) -> String {
        self.link(&self.here)
    }

    /// The console's first page.
    pub(crate) fn first_page(&self) -> &'static str {
        if self.root().is_empty() { "./" } else { self.root() }
    }

    pub(crate) fn asset(&self, name: &str) -> String {
        format!("{}assets/{}/{name}", self.root(), assets::HASH)
    }

    pub(crate) fn icon(&self, name: &'static str) -> Icon {
        Icon { root: self.root(), name }
    }

    pub(crate) fn time(&self, at_ms: i64) -> Time {
        Time::short(&self.clock, at_ms)
    }

    /// Every page that the reader may go to, in groups.
    pub(crate) fn groups(&self, here: Option<Page>) -> Vec<Vec<Link>> {
        let groups = PLACES.iter().map(|group| self.links(group.iter(), here));
        groups.filter(|group| !group.is_empty()).collect()
    }

    /// Those in the phone's bar.
    pub(crate) fn bar(&self, here: Option<Page>) -> Vec<Link> {
        self.links(PLACES.iter().copied().flatten().filter(|place| place.is_in_bar), here)
    }

    /// Those behind More.
    pub(crate) fn behind_more(&self, here: Option<Page>) -> Vec<Link> {
        self.links(PLACES.iter().copied().flatten().filter(|place| !place.is_in_bar), here)
    }

    fn links<'p>(&self, places: impl Iterator<Item = &'p Place>, here: Option<Page>) -> Vec<Link> {
        let may = |place: &&Place| match self.reader {
            Reader::Admin => place.is_for != For::Holders,
            Reader::Holder(_) => place.is_for != For::Admin,
            Reader::Nobody => false,
        };
        let link = |place: &Place| Link {
            href: self.link(place.link),
            icon: self.icon(place.icon),
            word: (place.word)(self.words()),
            is_here: here == Some(place.page),
        };
        places.filter(may).map(link).collect()
    }

    pub(crate) fn theme_name(&self) -> Option<&'static str> {
        match self.theme {
            Theme::Browser => None,
            Theme::Light => Some("light"),
            Theme::Dark => Some("dark"),
        }
    }

    pub(crate) fn who(&self) -> Option<String> {
        match &self.reader {
            Reader::Nobody => None,
            Reader::Admin => Some(self.words().signed_in_as_admin().to_owned()),
            Reader::Holder(key) => Some(self.words().signed_in_with(key)),
        }
    }
}
