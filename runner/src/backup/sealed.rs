//! Secrets under a passphrase: Argon2id makes a key of it, XChaCha20-Poly1305 seals with that. The costs are those of the
//! second choice of RFC 9106, section 4 (64 MiB, three passes).

use crate::exit::{self, Exit};
use anyhow::{Context, Result, anyhow};
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::Aead;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand::TryRng;
use rand::rngs::SysRng;
use std::collections::BTreeMap;

const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;
const LANES: u32 = 4;
const BEGINS: &[u8] = b"llmio-sealed-1\n";
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;

/// The sealed form of these files.
pub(super) fn seal(secrets: &BTreeMap<String, String>, passphrase: &str) -> Result<Vec<u8>> {
    let (mut salt, mut nonce) = ([0; SALT_BYTES], [0; NONCE_BYTES]);
    SysRng.try_fill_bytes(&mut salt)?;
    SysRng.try_fill_bytes(&mut nonce)?;
    let plain = serde_json::to_vec(secrets)?;
    let cipher = cipher(passphrase, &salt)?;
    let ciphertext = cipher.encrypt(&XNonce::from(nonce), plain.as_slice()).map_err(|_| anyhow!("sealing failed"))?;
    Ok([BEGINS, &salt, &nonce, &ciphertext].concat())
}

/// The files in a sealed form.
pub(super) fn open(sealed: &[u8], passphrase: &str) -> Result<BTreeMap<String, String>> {
    let rest = sealed.strip_prefix(BEGINS).context("the secrets of the backup are in a form that is not known here")?;
    let (salt, rest) = rest.split_first_chunk::<SALT_BYTES>().context("the secrets of the backup are cut off")?;
    let (nonce, ciphertext) =
        rest.split_first_chunk::<NONCE_BYTES>().context("the secrets of the backup are cut off")?;
    let opened = cipher(passphrase, salt)?.decrypt(&XNonce::from(*nonce), ciphertext);
    let plain =
        opened.map_err(|_| Exit::new(exit::CONFIG, "the passphrase does not open the secrets of this backup"))?;
    serde_json::from_slice(&plain).context("the secrets of the backup cannot be understood")
}

fn cipher(passphrase: &str, salt: &[u8]) -> Result<XChaCha20Poly1305> {
    let mut key = [0; 32];
    let parameters = Params::new(MEMORY_KIB, PASSES, LANES, Some(key.len())).map_err(|error| anyhow!("{error}"))?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    argon.hash_password_into(passphrase.as_bytes(), salt, &mut key).map_err(|error| anyhow!("{error}"))?;
    Ok(XChaCha20Poly1305::new(&key.into()))
}
