//! Sealing of stored secrets: XChaCha20-Poly1305 under a key derived from the master key.
//!
//! The associated data is the credential's id, so a sealed value moved to another credential does not open.
//! The nonce is an argument: core has no randomness. XChaCha because its 24-byte nonces may be drawn at random
//! for as long as a master key lives; ChaCha's and AES-GCM's 12 bytes may not.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

use super::Secret;

const MASTER_KEY_CHARACTERS_MIN: usize = 16;
const NONCE_BYTES: usize = 24;
const VERSION: &str = "v1:";

/// The advice for whoever stores a value without a master key.
pub(super) const HOW_TO_SET_MASTER_KEY: &str = "set the variable `master_key` to 16 or more characters \
     (the runner makes one at first start; on Spin it is SPIN_VARIABLE_MASTER_KEY)";

/// Seals and opens secrets with a master key, and opens those of the master key before it.
pub struct Sealer {
    current: XChaCha20Poly1305,
    previous: Option<XChaCha20Poly1305>,
}

/// Why a master key or a sealed value cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealError {
    /// The master key has fewer than 16 characters.
    MasterKeyTooShort,
    /// The text is not `v1:` and base64 of a nonce and a ciphertext.
    Malformed,
    /// None of the known master keys opens it.
    OtherMasterKey,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MasterKeyTooShort => "the master_key has fewer than 16 characters",
            Self::Malformed => "the sealed value is not `v1:` and base64; enter the secret again",
            Self::OtherMasterKey => {
                "sealed with another master_key; set the one it was sealed with, give that as master_key_previous, \
                 or enter the secret again"
            }
        })
    }
}

impl std::error::Error for SealError {}

impl Sealer {
    /// A sealer of this master key, any string of 16 characters or more.
    pub fn new(master_key: &str) -> Result<Sealer, SealError> {
        Ok(Sealer { current: cipher(master_key)?, previous: None })
    }

    /// Seals with `current` and opens what either sealed: for changing the master key.
    pub fn with_previous(current: &str, previous: &str) -> Result<Sealer, SealError> {
        Ok(Sealer { current: cipher(current)?, previous: Some(cipher(previous)?) })
    }

    /// The sealed text of a secret. The nonce must be random and never used again.
    pub fn seal(&self, id: &str, plain: &Secret, nonce: [u8; NONCE_BYTES]) -> String {
        format!("{VERSION}{}", STANDARD.encode(self.seal_bytes(id, plain.expose().as_bytes(), nonce)))
    }

    /// The sealed form of bytes: nonce and ciphertext. The nonce must be random and never used again.
    pub fn seal_bytes(&self, id: &str, plain: &[u8], nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
        let payload = Payload { msg: plain, aad: id.as_bytes() };
        let ciphertext = self
            .current
            .encrypt(&XNonce::from(nonce), payload)
            .expect("XChaCha20-Poly1305 takes any message shorter than 256 GiB");
        [nonce.as_slice(), &ciphertext].concat()
    }

    /// The bytes of a sealed form.
    pub fn open_bytes(&self, id: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Malformed)?;
        let opened = |cipher: &XChaCha20Poly1305| open(cipher, id, *nonce, ciphertext);
        self.ciphers().find_map(opened).ok_or(SealError::OtherMasterKey)
    }

    /// The ciphers that may have sealed a value, the current one first.
    fn ciphers(&self) -> impl Iterator<Item = &XChaCha20Poly1305> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// Whether a value is one that only the previous master key opens, so that it must be sealed anew before that key
    /// is forgotten.
    pub fn is_previous(&self, id: &str, sealed: &str) -> bool {
        let opens = |cipher: &XChaCha20Poly1305| decrypt(cipher, id, sealed).is_some();
        !opens(&self.current) && self.previous.as_ref().is_some_and(opens)
    }

    /// The secret of a sealed text.
    pub fn open(&self, id: &str, sealed: &str) -> Result<Secret, SealError> {
        if !is_sealed(sealed) {
            return Err(SealError::Malformed);
        }
        let plain = self.ciphers().find_map(|cipher| decrypt(cipher, id, sealed)).ok_or(SealError::OtherMasterKey)?;
        String::from_utf8(plain).map(Secret::new).map_err(|_| SealError::Malformed)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}

/// Whether a text has the form of a sealed value, whatever key it needs.
pub(super) fn is_sealed(text: &str) -> bool {
    parts(text).is_some()
}

/// The id of a credential without one. It is derived from the secret and not from its position in the list.
pub(super) fn credential_id(kind: &str, provider: &str, value: &str) -> String {
    format!("c-{}", digest(kind, provider, value))
}

/// The account of a secret at a host, independent of where the secret is written and of the provider's name.
pub(super) fn account(host: &str, secret: &str) -> String {
    format!("a-{}", digest("account", host, secret))
}

fn digest(kind: &str, of: &str, value: &str) -> String {
    let parts = ["llmio ", kind, "\0", of, "\0", value];
    let digest = parts.into_iter().fold(Sha256::new(), |digest, part| digest.chain_update(part)).finalize();
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// The id a provider's secret header is sealed under.
pub(super) fn header_id(provider: &str, header: &str) -> String {
    format!("header/{provider}/{header}")
}

/// The id a secret of a provider's query is sealed under.
pub(super) fn query_id(provider: &str, name: &str) -> String {
    format!("query/{provider}/{name}")
}

/// The id under which the egress of a provider or credential is sealed.
pub(super) fn egress_id(provider: &str, credential: Option<&str>) -> String {
    match credential {
        Some(id) => format!("egress/{provider}/{id}"),
        None => format!("egress/{provider}"),
    }
}

/// The id under which the key for a relay is sealed. It differs from that of a proxy's URL, so that neither can be used
/// in place of the other.
pub(super) fn relay_key_id(provider: &str, credential: Option<&str>) -> String {
    format!("relay-key/{}", egress_id(provider, credential))
}

fn cipher(master_key: &str) -> Result<XChaCha20Poly1305, SealError> {
    if master_key.chars().count() < MASTER_KEY_CHARACTERS_MIN {
        return Err(SealError::MasterKeyTooShort);
    }
    let mut key = [0u8; 32];
    Hkdf::<Sha256>::new(None, master_key.as_bytes())
        .expand(b"llmio catalog v1", &mut key)
        .expect("32 bytes are fewer than HKDF-SHA256 can give");
    Ok(XChaCha20Poly1305::new(&key.into()))
}

fn decrypt(cipher: &XChaCha20Poly1305, id: &str, sealed: &str) -> Option<Vec<u8>> {
    let (nonce, ciphertext) = parts(sealed)?;
    open(cipher, id, nonce, &ciphertext)
}

fn open(cipher: &XChaCha20Poly1305, id: &str, nonce: [u8; NONCE_BYTES], ciphertext: &[u8]) -> Option<Vec<u8>> {
    cipher.decrypt(&XNonce::from(nonce), Payload { msg: ciphertext, aad: id.as_bytes() }).ok()
}

fn parts(sealed: &str) -> Option<([u8; NONCE_BYTES], Vec<u8>)> {
    let bytes = STANDARD.decode(sealed.strip_prefix(VERSION)?).ok()?;
    let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_BYTES>()?;
    Some((*nonce, ciphertext.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASTER: &str = "a master key of some length";

    #[test]
    fn opens_what_it_sealed_under_the_same_id_only() {
        let sealer = Sealer::new(MASTER).unwrap();
        let sealed = sealer.seal("c-1", &Secret::new("sk-abc"), [7; 24]);
        assert!(sealed.starts_with("v1:") && !sealed.contains("sk-abc"));
        assert_eq!(sealer.open("c-1", &sealed).unwrap().expose(), "sk-abc");
        assert_eq!(sealer.open("c-2", &sealed).unwrap_err(), SealError::OtherMasterKey);
    }

    #[test]
    fn bytes_open_under_their_own_id_only_and_with_the_previous_master_key() {
        let (old, bytes) = (Sealer::new(MASTER).unwrap(), [0, 159, 146, 150]);
        let sealed = old.seal_bytes("bodies/1", &bytes, [7; 24]);
        assert_eq!(old.open_bytes("bodies/1", &sealed).unwrap(), bytes);
        assert_eq!(old.open_bytes("bodies/2", &sealed).unwrap_err(), SealError::OtherMasterKey);
        assert_eq!(old.open_bytes("bodies/1", &sealed[..20]).unwrap_err(), SealError::Malformed);
        let both = Sealer::with_previous("the master key of today", MASTER).unwrap();
        assert_eq!(both.open_bytes("bodies/1", &sealed).unwrap(), bytes);
    }

    #[test]
    fn refuses_another_master_key_and_says_so() {
        let sealed = Sealer::new(MASTER).unwrap().seal("c-1", &Secret::new("sk-abc"), [7; 24]);
        let error = Sealer::new("quite another master key").unwrap().open("c-1", &sealed).unwrap_err();
        assert!(error.to_string().starts_with("sealed with another master_key"));
    }

    #[test]
    fn opens_with_the_previous_master_key_and_seals_with_the_current() {
        let old = Sealer::new(MASTER).unwrap();
        let both = Sealer::with_previous("the master key of today", MASTER).unwrap();
        let sealed = old.seal("c-1", &Secret::new("sk-abc"), [7; 24]);
        assert_eq!(both.open("c-1", &sealed).unwrap().expose(), "sk-abc");
        assert!(old.open("c-1", &both.seal("c-1", &Secret::new("sk-abc"), [8; 24])).is_err());
    }

    #[test]
    fn refuses_a_master_key_of_fifteen_characters() {
        assert_eq!(Sealer::new("123456789012345").unwrap_err(), SealError::MasterKeyTooShort);
        assert!(Sealer::new("主密钥主密钥主密钥主密钥主密钥一").is_ok());
    }

    #[test]
    fn refuses_text_that_is_not_sealed() {
        let sealer = Sealer::new(MASTER).unwrap();
        for text in ["", "v1:", "v1:!!!!", "v1:AAAA", "v2:AAAA", "sk-abc"] {
            assert_eq!(sealer.open("c-1", text).unwrap_err(), SealError::Malformed, "{text}");
        }
    }

    #[test]
    fn gives_the_same_id_to_the_same_secret_of_the_same_provider_only() {
        let id = credential_id("credential", "a", "sk-1");
        assert_eq!(id, credential_id("credential", "a", "sk-1"));
        assert_ne!(id, credential_id("credential", "b", "sk-1"));
        assert_ne!(id, credential_id("credential", "a", "sk-2"));
        assert_ne!(id, credential_id("variable", "a", "sk-1"));
        assert_eq!(id.len(), "c-".len() + 12);
    }
}
