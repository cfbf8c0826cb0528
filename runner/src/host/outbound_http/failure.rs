//! The errors of requests as codes of wasi:http. The component's failover depends on them, so each cause has a code of
//! its own.

use super::connector::NoConnection;
use super::kept::UnsentRequest;
use hyper_util::client::legacy;
use rustix::io::Errno;
use std::error::Error as StdError;
use std::io;
use wasmtime_wasi_http::Error;

/// wasi:http has no codes for egress proxies. The component recognises this prefix, and puts the proxy's name between
/// it and what follows.
const PROXY: &str = "egress proxy: ";
const TUNNEL: &str = "egress tunnel: ";

/// The error of a request without a response head.
pub(super) fn of_request(error: &legacy::Error) -> Error {
    for cause in causes(error) {
        if let Some(no_connection) = cause.downcast_ref::<NoConnection>() {
            return of_connection(no_connection);
        }
        // The guest's own body failed, and the guest knows why.
        if let Some(Error::HttpRequestBodySize(size)) = cause.downcast_ref::<Error>() {
            return Error::HttpRequestBodySize(*size);
        }
    }
    let hyper = causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
    match hyper {
        Some(error) if error.is_parse_too_large() => Error::HttpResponseHeaderSectionSize(None),
        Some(error) if error.is_parse() => Error::HttpProtocolError,
        Some(error) if error.is_user() => Error::HttpProtocolError,
        _ => match of_stream(error, Error::ConnectionTerminated) {
            // There was no answer that could be incomplete.
            Error::HttpResponseIncomplete => Error::ConnectionTerminated,
            other => other,
        },
    }
}

/// The error of a body that broke off: `HttpResponseIncomplete` if it ended early, `ConnectionTerminated` if it was
/// reset.
pub(super) fn of_body(error: &hyper::Error) -> Error {
    if error.is_incomplete_message() {
        return Error::HttpResponseIncomplete;
    }
    of_stream(error, Error::HttpProtocolError)
}

/// The same error as Spin names it (`crates/factor-outbound-http/src/wasi.rs`): what is known of a connection, and one word
/// for whatever hyper says.
pub(super) fn of_request_under_spin(error: &legacy::Error) -> Error {
    match causes(error).find_map(|cause| cause.downcast_ref::<NoConnection>()).map(of_connection) {
        None => Error::HttpProtocolError,
        Some(Error::DnsError { .. } | Error::DnsTimeout) => {
            Error::DnsError { rcode: Some("address not available".to_owned()), info_code: Some(0) }
        }
        Some(Error::TlsCertificateError | Error::TlsAlertReceived { .. }) => Error::TlsProtocolError,
        Some(Error::DestinationIpUnroutable | Error::ConnectionTerminated) => Error::ConnectionRefused,
        Some(other) => other,
    }
}

/// The error of a body as Spin names it.
pub(super) fn of_body_under_spin(error: Error) -> Error {
    match error {
        Error::HttpResponseIncomplete | Error::ConnectionTerminated => Error::HttpProtocolError,
        other => other,
    }
}

/// Why it is certain that no byte of a request was acted on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum UnprocessedReason {
    /// Its kept connection was closed before anything was written.
    Unsent,
    /// The connection accepts no more requests of this number (RFC 9113, section 6.8).
    GoingAway,
    /// The upstream says that it did not look at this request (RFC 9113, section 8.7).
    Refused,
}

/// Why a request without a response is known not to have been acted on; `None` if it is not.
pub(super) fn unprocessed(error: &legacy::Error) -> Option<UnprocessedReason> {
    causes(error).find_map(|cause| {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return error.get_ref().filter(|inner| inner.is::<UnsentRequest>()).map(|_| UnprocessedReason::Unsent);
        }
        // A request that the host itself ended may have been acted on. For upstream errors, h2 only reports this one
        // for streams above the last that GOAWAY names.
        let error = cause.downcast_ref::<h2::Error>().filter(|error| error.is_remote())?;
        match error.reason() {
            _ if error.is_go_away() => Some(UnprocessedReason::GoingAway),
            Some(h2::Reason::REFUSED_STREAM) => Some(UnprocessedReason::Refused),
            _ => None,
        }
    })
}

fn of_stream(error: &(dyn StdError + 'static), otherwise: Error) -> Error {
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<h2::Error>() {
            return if error.is_io() || error.is_reset() || error.is_go_away() {
                Error::ConnectionTerminated
            } else {
                Error::HttpProtocolError
            };
        }
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof => Error::HttpResponseIncomplete,
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Error::HttpProtocolError,
                _ => Error::ConnectionTerminated,
            };
        }
    }
    otherwise
}

fn of_connection(error: &NoConnection) -> Error {
    match error {
        NoConnection::LookUpTimeout => Error::DnsTimeout,
        NoConnection::Timeout => Error::ConnectionTimeout,
        NoConnection::LookUp(error) if is_shortage(error) => Error::ConnectionLimitReached,
        NoConnection::LookUp(error) => Error::DnsError { rcode: Some(error.to_string()), info_code: None },
        NoConnection::Prohibited => Error::DestinationIpProhibited,
        NoConnection::Proxy(why) => Error::InternalError(Some(format!("{PROXY}{why}"))),
        NoConnection::Tunnel(why) => Error::InternalError(Some(format!("{TUNNEL}{why}"))),
        NoConnection::Failed(error) => {
            causes(error.as_ref()).find_map(of_handshake).unwrap_or(Error::ConnectionRefused)
        }
    }
}

/// Why there is no connection to the egress proxy, worded to follow the proxy's name.
pub(super) fn of_proxy(error: &NoConnection) -> &'static str {
    match of_connection(error) {
        Error::DnsTimeout => "has a name that was not resolved in time",
        Error::DnsError { .. } => "has a name that cannot be resolved",
        Error::ConnectionTimeout => "did not accept the connection in time",
        Error::ConnectionRefused => "refused the connection",
        Error::TlsProtocolError | Error::TlsCertificateError | Error::TlsAlertReceived { .. } => {
            "failed the TLS handshake"
        }
        _ => "could not be reached",
    }
}

fn of_handshake(cause: &(dyn StdError + 'static)) -> Option<Error> {
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(of_tls(error));
    }
    let error = cause.downcast_ref::<io::Error>()?;
    // `source` of an io::Error skips the error that it wraps, and rustls' errors are wrapped twice.
    if let Some(inner) = error.get_ref()
        && let Some(known) = of_handshake(inner)
    {
        return Some(known);
    }
    if is_shortage(error) {
        return Some(Error::ConnectionLimitReached);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Error::ConnectionRefused),
        io::ErrorKind::TimedOut => Some(Error::ConnectionTimeout),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => Some(Error::DestinationIpUnroutable),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            Some(Error::ConnectionTerminated)
        }
        io::ErrorKind::UnexpectedEof => Some(Error::TlsProtocolError),
        _ => None,
    }
}

/// Whether the process or the machine has no descriptor left, which is not the upstream's fault.
fn is_shortage(error: &io::Error) -> bool {
    let shortages = [Errno::MFILE, Errno::NFILE].map(|errno| Some(errno.raw_os_error()));
    shortages.contains(&error.raw_os_error())
}

fn of_tls(error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => Error::TlsCertificateError,
        rustls::Error::AlertReceived(alert) => {
            Error::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: Some(format!("{alert:?}")) }
        }
        _ => Error::TlsProtocolError,
    }
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let current = next?;
        next = current.source();
        Some(current)
    })
}
