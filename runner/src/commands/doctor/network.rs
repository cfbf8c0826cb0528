//! The way to each provider: its name, a connection, TLS, what proxy leads there, and what time it has. No call is made, and
//! no credential leaves.

use super::{Check, Finding};
use crate::commands::client::{Call, with_client, with_server};
use crate::data_folder;
use crate::host::outbound_http::{TlsConfig, own_roots};
use crate::options::Settings;
use anyhow::Result;
use http::Method;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConnection, StreamOwned};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);
/// A clock that is further off makes certificates invalid sooner or later, and days of quotas begin at other times.
const OFF_SECONDS_MAX: i64 = 120;
/// llmio did not exist before this time, so an earlier clock is wrong.
const BEFORE: &str = "2026-01-01T00:00:00Z";
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// What the component tells its host.
#[derive(Deserialize)]
struct HostView {
    #[serde(default)]
    addresses: Vec<Address>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Address {
    provider: String,
    address: String,
    egress: Option<String>,
    ca: Option<String>,
}

/// `is_whole`: the files of the data folder can be used. Otherwise that is told already, and only a server that runs is asked:
/// a start would make a new key in the place of a lost one.
pub(super) fn look(settings: &Settings, is_whole: bool) -> Vec<Finding> {
    let mut findings = proxies();
    let mut times = Vec::new();
    if is_whole || data_folder::running_server(&settings.data).is_some() {
        let (found, differences) = providers(settings);
        findings.extend(found);
        times = differences;
    }
    findings.push(clock(&times));
    findings
}

/// The catalog, and the way to each provider in it. Returns the differences of their clocks too.
fn providers(settings: &Settings) -> (Vec<Finding>, Vec<i64>) {
    match addresses(settings) {
        Ok(None) => (vec![Finding::ok(Check::Catalog, "no providers yet: `llmio init` asks for one")], Vec::new()),
        Ok(Some(addresses)) => {
            let valid = Finding::ok(Check::Catalog, format!("valid, with {}", counted(addresses.len())));
            let (found, times) = each(settings, &addresses);
            (std::iter::once(valid).chain(found).collect(), times)
        }
        Err(error) => {
            let todo =
                "`llmio catalog check FILE` names every mistake of a file; `llmio restore FILE` puts a backup back";
            (vec![Finding::wrong(Check::Catalog, format!("{error:#}"), todo)], Vec::new())
        }
    }
}

fn counted(count: usize) -> String {
    if count == 1 { "1 address of a provider".to_owned() } else { format!("{count} addresses of providers") }
}

/// Where providers are called, each place once; `None` while nothing is configured. Nothing is made for that.
fn addresses(settings: &Settings) -> Result<Option<Vec<Address>>> {
    let call = || Call::new(Method::GET, "/api/host");
    let host: HostView = match data_folder::running_server(&settings.data) {
        Some(address) => with_server(settings, address, async |client| client.read(call()).await)?,
        None if settings.data.join("kv.sqlite").exists() || settings.catalog.is_some() => {
            with_client(settings, async |client| client.read(call()).await)?
        }
        None => return Ok(None),
    };
    let mut places: BTreeMap<(String, Option<String>, Option<String>), Address> = BTreeMap::new();
    for each in host.addresses {
        let place = (each.address.clone(), each.egress.clone(), each.ca.clone());
        places.entry(place).or_insert(each);
    }
    Ok(Some(places.into_values().collect()).filter(|places: &Vec<Address>| !places.is_empty()))
}

/// Looks at all of them at once, since each may take its time. Returns the differences of their clocks too.
fn each(settings: &Settings, addresses: &[Address]) -> (Vec<Finding>, Vec<i64>) {
    let roots = match own_roots(settings.ca.as_deref(), |name| std::env::var_os(name)) {
        Ok(roots) => roots,
        Err(exit) => return (vec![Finding::wrong(Check::Tls, exit.message, "name a PEM file with --ca")], Vec::new()),
    };
    let tls = match TlsConfig::new(&roots) {
        Ok(tls) => tls,
        Err(error) => return (vec![Finding::wrong(Check::Tls, error.to_string(), "see --ca")], Vec::new()),
    };
    std::thread::scope(|scope| {
        let tls = &tls;
        let looks: Vec<_> = addresses.iter().map(|address| scope.spawn(move || look_at(address, tls))).collect();
        let (mut findings, mut times) = (Vec::new(), Vec::new());
        for look in looks {
            let Ok((finding, time)) = look.join() else { continue };
            findings.push(finding);
            times.extend(time);
        }
        (findings, times)
    })
}

fn look_at(address: &Address, tls: &TlsConfig) -> (Finding, Option<i64>) {
    let Address { provider, address: url, egress, ca } = address;
    if let Some(way) = egress {
        return (way_out(provider, way), None);
    }
    let (scheme, authority) = url.split_once("://").unwrap_or(("https", url));
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
    let shown = format!("{url} ({provider})");
    let stream = match connect(authority) {
        Ok(stream) => stream,
        Err(finding) => return (finding.of(&shown), None),
    };
    if scheme == "http" {
        let time = time_of(stream, host);
        return (Finding::ok(Check::Tls, format!("{shown} takes connections, without TLS")), time);
    }
    match secured(stream, host, tls, ca.as_deref()) {
        Ok(stream) => {
            let time = time_of(stream, host);
            (Finding::ok(Check::Tls, format!("{shown} is reached, and its certificate is good")), time)
        }
        Err((message, todo)) => (Finding::wrong(Check::Tls, format!("{shown}: {message}"), todo), None),
    }
}

/// A proxy or relay that leads to a provider.
fn way_out(provider: &str, way: &str) -> Finding {
    let authority = way.split('/').next().unwrap_or_default();
    if authority == "?" {
        let message =
            format!("the egress of {provider} is not known: its variable is not set, or its secret cannot be opened");
        return Finding::wrong(Check::Proxy, message, "`llmio health` names what is missing");
    }
    let has_port = authority.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
    let with_port = if has_port { authority.to_owned() } else { format!("{authority}:443") };
    match connect(&with_port) {
        Ok(_) => Finding::ok(Check::Proxy, format!("{way} takes connections (egress of {provider})")),
        Err(trouble) => Finding { check: Check::Proxy, ..trouble.of(&format!("{way} (egress of {provider})")) },
    }
}

/// Why there is no connection.
struct NoConnection {
    check: Check,
    message: String,
    todo: &'static str,
}

impl NoConnection {
    fn of(self, shown: &str) -> Finding {
        Finding::wrong(self.check, format!("{shown}: {}", self.message), self.todo)
    }
}

fn connect(authority: &str) -> Result<TcpStream, NoConnection> {
    let addresses: Vec<_> = match authority.to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            let todo = "see that the name is right, and that this machine can look names up (/etc/resolv.conf)";
            return Err(NoConnection { check: Check::Dns, message: format!("its name is not found: {error}"), todo });
        }
    };
    let mut message = "its name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => {
                let limits = stream.set_read_timeout(Some(TIMEOUT)).and(stream.set_write_timeout(Some(TIMEOUT)));
                if limits.is_ok() {
                    return Ok(stream);
                }
            }
            Err(error) => message = format!("there is no connection to {address}: {error}"),
        }
    }
    let todo =
        "see that it runs and that a firewall lets llmio out; `egress` of a provider names a proxy that leads there";
    Err(NoConnection { check: Check::Tls, message, todo })
}

type Secured = StreamOwned<ClientConnection, TcpStream>;

fn secured(mut stream: TcpStream, host: &str, tls: &TlsConfig, ca: Option<&str>) -> Result<Secured, (String, String)> {
    let config = match ca {
        Some(file) => {
            tls.trusting(Path::new(file)).map_err(|error| (error, format!("see `ca` of the provider: {file}")))?
        }
        None => tls.client(),
    };
    let plain = |error: String| (error, "see the address of the provider".to_owned());
    let name = ServerName::try_from(host.to_owned()).map_err(|error| plain(error.to_string()))?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(|error| plain(error.to_string()))?;
    while connection.is_handshaking() {
        if let Err(error) = connection.complete_io(&mut stream) {
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
            return Err((format!("TLS fails: {error}"), advice(cause).to_owned()));
        }
    }
    Ok(StreamOwned::new(connection, stream))
}

fn advice(cause: Option<&rustls::Error>) -> &'static str {
    match cause {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "name the certificate of its authority with --ca FILE, or with `ca` of the provider"
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) => "see that the clock of this machine is right; otherwise its operator has to renew the certificate",
        Some(rustls::Error::InvalidCertificate(_)) => "see that the name in `base_url` is the one of the certificate",
        _ => "see that it speaks TLS there; an address without it begins with http://",
    }
}

/// By how many seconds this machine's clock is ahead of the server's. `None` without an answer.
fn time_of(mut stream: impl Read + Write, host: &str) -> Option<i64> {
    let request = format!("HEAD / HTTP/1.1\r\nhost: {host}\r\nuser-agent: llmio\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).and_then(|()| stream.flush()).ok()?;
    let head = head_of(&mut stream);
    let date = head.lines().find(|line| line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case("date:")))?;
    let date = date.get(5..)?;
    let sent_at = jiff::fmt::rfc2822::parse(date.trim()).ok()?.timestamp();
    Some(jiff::Timestamp::now().as_second() - sent_at.as_second())
}

/// The head of an answer, or as much of it as came in time.
fn head_of(stream: &mut impl Read) -> String {
    let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
    while answer.len() < ANSWER_BYTES_MAX && !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(read) if read > 0 => answer.extend(piece.iter().take(read)),
            _ => break,
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn clock(times: &[i64]) -> Finding {
    let now = jiff::Timestamp::now();
    let todo = "let this machine take its time from the network (NTP)";
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    // One server may be wrong, the median hardly is.
    match sorted.get(sorted.len() / 2) {
        Some(off) if off.abs() > OFF_SECONDS_MAX => {
            let way = if *off > 0 { "ahead" } else { "behind" };
            Finding::wrong(Check::Clock, format!("{} s {way} of what providers say", off.abs()), todo)
        }
        Some(_) => Finding::ok(Check::Clock, format!("{now:.0}, and the clocks of providers agree")),
        None if now.to_string().as_str() < BEFORE => Finding::wrong(Check::Clock, format!("it says {now:.0}"), todo),
        None => Finding::ok(Check::Clock, format!("{now:.0}; no provider's clock was asked for")),
    }
}

/// Proxies of the environment, which llmio does not use.
fn proxies() -> Vec<Finding> {
    let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let set = names.into_iter().filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let message = |name| format!("{name} is set, and llmio does not use it: `egress` of a provider names its proxy");
    set.map(|name| Finding::ok(Check::Proxy, message(name))).collect()
}
