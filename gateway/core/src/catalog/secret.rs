//! Values that may be secret.

use std::fmt;

/// A value that may be secret: in plain text, sealed, or kept elsewhere under a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// The value itself.
    Plain(Secret),
    /// Sealed with the master key; [`Catalog::resolve`](super::Catalog::resolve) opens it.
    Sealed(String),
    /// In the variable of this name; [`Catalog::resolve`](super::Catalog::resolve) fills it in.
    Variable(String),
    /// Each line of the file of this name; [`Catalog::expand`](super::Catalog::expand) puts them in its place. Of
    /// credentials only.
    File(String),
    /// It is not available, and why. The credential cannot be used until then.
    Missing(String),
}

/// A secret. Its `Debug` shows nothing; there is no `Display` and no serialisation.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The secret itself: for the request to its own provider and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
