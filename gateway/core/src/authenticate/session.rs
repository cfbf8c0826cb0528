//! Sessions of the console: somebody presents the admin token or a key once, and the browser then holds a secret of the
//! session's own, of which only the hash is kept. A session is tied to what it was opened with and ends with that.

use sha2::{Digest, Sha256};

use super::{Caller, Token, allowed_now};
use crate::catalog::Catalog;

/// A session lasts this long at most.
pub const LIFE_MS: i64 = 12 * 60 * 60 * 1000;

/// A one-time link does.
pub const LINK_MS: i64 = 10 * 60 * 1000;

/// How many characters of its hash identify a session in lists.
const ID_CHARACTERS: usize = 16;

/// What a browser holds, made of bytes that nobody can predict.
pub fn secret(bytes: [u8; 32]) -> String {
    hex(&bytes)
}

/// What is kept of such a secret.
pub fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// The name of a session, of its hash.
pub fn id(hash: &str) -> &str {
    hash.get(..ID_CHARACTERS).unwrap_or(hash)
}

/// What ties a session to the credential of this caller as it is now; `None`: it has none, or it is gone.
pub fn proof(caller: &Caller, token: &Token, catalog: &Catalog) -> Option<String> {
    let hash = match caller {
        Caller::Anyone => None,
        Caller::Admin => token.hash,
        Caller::Key(name) => catalog.key_named(name).map(|key| key.hash),
    }?;
    let mut proof = Sha256::new_with_prefix("llmio session ");
    proof.update(hash);
    Some(hex(&proof.finalize()))
}

/// Who a session is of, if its credential may still be used: `key` is the name of the key that it was opened with, and
/// nothing where that was the admin token.
pub fn caller(key: Option<&str>, proof: &str, token: &Token, catalog: &Catalog, now_ms: i64) -> Option<Caller> {
    let caller = match key {
        None => Caller::Admin,
        Some(name) => allowed_now(catalog.key_named(name)?, now_ms).ok()?,
    };
    (self::proof(&caller, token, catalog)? == proof).then_some(caller)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Document, hash_key, hash_text};

    fn catalog(key: &str, fields: &str) -> Catalog {
        let text = format!("[[keys]]\nname = \"k\"\nhash = \"{}\"\n{fields}", hash_text(&hash_key(key)));
        Document::from_toml(&text).and_then(|document| document.validate()).expect("a valid catalog")
    }

    #[test]
    fn a_session_ends_with_what_it_was_opened_with() {
        let (token, opened) = (Token::new("token"), catalog("sk-1", ""));
        let of_key = proof(&Caller::Key("k".into()), &token, &opened).expect("a proof");
        let key = |catalog: &Catalog, now_ms| caller(Some("k"), &of_key, &token, catalog, now_ms);
        assert_eq!(key(&opened, 0), Some(Caller::Key("k".into())));
        assert_eq!(key(&catalog("sk-2", ""), 0), None, "another key of the same name");
        assert_eq!(key(&catalog("sk-1", "enabled = false"), 0), None);
        let expiring = catalog("sk-1", "expires = 1970-01-01T00:00:01Z");
        assert_eq!((key(&expiring, 999).is_some(), key(&expiring, 1000)), (true, None));
        assert_eq!(caller(Some("other"), &of_key, &token, &opened, 0), None);

        let of_admin = proof(&Caller::Admin, &token, &opened).expect("a proof");
        assert_eq!(caller(None, &of_admin, &token, &opened, 0), Some(Caller::Admin));
        assert_eq!(caller(None, &of_admin, &Token::new("other"), &opened, 0), None);
        assert_eq!(caller(None, &of_key, &token, &opened, 0), None, "a key's session is never the admin's");
    }

    #[test]
    fn of_a_secret_only_its_hash_is_kept() {
        let secret = secret([7; 32]);
        assert_eq!(secret.len(), 64);
        assert_ne!(hash(&secret), secret);
        assert!(hash(&secret).starts_with(id(&hash(&secret))));
    }
}
