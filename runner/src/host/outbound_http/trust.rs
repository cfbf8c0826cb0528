//! The authorities that an upstream's certificate may come from: Mozilla's roots, which are compiled in so that a
//! container without any works, and an operator's own, since the proxy of a company or a server at home often has a CA
//! of its own. There is no switch that turns checking off.

use crate::exit::{self, Exit};
use crate::log;
use anyhow::Result;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::{CertificateResult, load_certs_from_paths};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The certificates an operator trusts.
pub(crate) type OwnRoots = Vec<CertificateDer<'static>>;

/// The trusted roots, shared by all threads together with the TLS session cache.
#[derive(Clone)]
pub(crate) struct TlsConfig {
    pub(super) config: ClientConfig,
    roots: Arc<RootCertStore>,
}

impl TlsConfig {
    /// Trusts Mozilla's roots and these.
    pub(crate) fn new(own: &OwnRoots) -> Result<TlsConfig> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let (_, unusable) = roots.add_parsable_certificates(own.iter().cloned());
        if unusable > 0 {
            log::warn(format_args!(
                "{unusable} of your own certificates (--ca, SSL_CERT_FILE, SSL_CERT_DIR) cannot be read and are not trusted"
            ));
        }
        TlsConfig::with_roots(roots)
    }

    /// How a client trusts so.
    pub(crate) fn client(&self) -> ClientConfig {
        self.config.clone()
    }

    /// The same, and the certificates of this file.
    pub(crate) fn trusting(&self, file: &Path) -> Result<ClientConfig, String> {
        self.and_file(file).map(|tls| tls.config)
    }

    /// Trusts these and nothing else.
    pub(super) fn with_roots(roots: RootCertStore) -> Result<TlsConfig> {
        let roots = Arc::new(roots);
        let config = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        Ok(TlsConfig { config, roots })
    }

    /// Trusts what this does, and the certificates of this file.
    pub(super) fn and_file(&self, file: &Path) -> Result<TlsConfig, String> {
        let mut roots = (*self.roots).clone();
        roots.add_parsable_certificates(certificates(file)?);
        TlsConfig::with_roots(roots).map_err(|error| error.to_string())
    }
}

/// Reads the file that `--ca` names, and those of OpenSSL's own variables. A file from `--ca` must be usable; the
/// variables may be meant for other programs, so problems with them are only logged.
pub(crate) fn own_roots(ca: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Result<OwnRoots, Exit> {
    let variable_set = |name| variable(name).filter(|value| !value.is_empty());
    let mut roots = OwnRoots::new();
    if let Some(file) = variable_set("SSL_CERT_FILE") {
        roots.extend(read_roots("SSL_CERT_FILE", load_certs_from_paths(Some(Path::new(&file)), None)));
    }
    let folders: Vec<PathBuf> =
        variable_set("SSL_CERT_DIR").map(|list| std::env::split_paths(&list).collect()).unwrap_or_default();
    for folder in folders.iter().filter(|folder| !folder.as_os_str().is_empty()) {
        roots.extend(read_roots("SSL_CERT_DIR", load_certs_from_paths(None, Some(folder))));
    }
    let Some(file) = ca else { return Ok(roots) };
    // What cannot be used as a root is better said now than at the first request.
    let found = certificates(file);
    roots.extend(found.map_err(|why| Exit::new(exit::CONFIG, format!("--ca {}: {why}", file.display())))?);
    Ok(roots)
}

/// The certificates of a file, of which one at least can be used as a root.
fn certificates(file: &Path) -> Result<OwnRoots, String> {
    let found = load_certs_from_paths(Some(file), None);
    if let Some(error) = found.errors.first() {
        return Err(error.to_string());
    }
    let (usable, _) = RootCertStore::empty().add_parsable_certificates(found.certs.iter().cloned());
    if usable == 0 {
        return Err("there is no certificate in it; it must be a PEM file".to_owned());
    }
    Ok(found.certs)
}

fn read_roots(name: &str, found: CertificateResult) -> OwnRoots {
    for error in &found.errors {
        log::warn(format_args!("{name}: {error}"));
    }
    found.certs
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    fn authority() -> String {
        let key = KeyPair::generate().expect("a key");
        CertificateParams::new(["ca.example".to_owned()])
            .and_then(|ca| ca.self_signed(&key))
            .expect("a certificate")
            .pem()
    }

    #[test]
    fn certificates_come_from_the_flag_the_file_and_every_folder_together() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["one", "two"] {
            std::fs::create_dir(at(name)).expect("a folder");
            std::fs::write(at(name).join("ca.pem"), authority()).expect("a file");
        }
        std::fs::write(at("file.pem"), authority()).expect("a file");
        std::fs::write(at("flag.pem"), authority() + &authority()).expect("a file");
        let folders = std::env::join_paths([at("one"), at("two")]).expect("a list");
        let roots = own_roots(Some(&at("flag.pem")), |name| match name {
            "SSL_CERT_FILE" => Some(at("file.pem").into()),
            "SSL_CERT_DIR" => Some(folders.clone()),
            _ => None,
        });
        assert_eq!(roots.expect("all of them").len(), 5);
        assert_eq!(own_roots(None, |_| Some(OsString::new())).expect("empty counts as absent").len(), 0);
    }

    #[test]
    fn a_flag_without_a_certificate_is_refused_and_a_variable_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [absent, other] = ["absent.pem", "other.pem"].map(|name| folder.path().join(name));
        std::fs::write(&other, "not a certificate").expect("a file");
        for file in [&absent, &other] {
            let exit = own_roots(Some(file), |_| None).expect_err("nothing to trust");
            assert!(exit.code == 78 && exit.message.starts_with("--ca "), "{}", exit.message);
            let variable = own_roots(None, |name| (name == "SSL_CERT_FILE").then(|| file.into()));
            assert_eq!(variable.expect("it may be meant for others").len(), 0);
        }
    }
}
