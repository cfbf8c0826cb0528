//! What is to blame for an attempt without an answer, by the host's message and the egress it used.

use super::SendError;

/// The runner's message when it ended the requests of a call because the client left, or because it shuts down.
const CLIENT_CLOSED: &str = "client closed";
const DRAINED: &str = "drained";

/// The beginning of the runner's message when the egress proxy could not be used, and when the proxy could not reach
/// the provider.
const PROXY: &str = "egress proxy: ";
const TUNNEL: &str = "egress tunnel: ";

/// An egress, by its name in messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedEgress {
    /// The name in messages.
    pub name: String,
    /// Whether it is the relay of another llmio, so that the connection goes to the relay.
    pub is_relay: bool,
}

impl SendError {
    /// The error in the runner's message, where `wasi:http` has no code for it. See `host.md`.
    pub fn from_runner_message(message: &str) -> Self {
        match (message, message.strip_prefix(PROXY), message.strip_prefix(TUNNEL)) {
            (CLIENT_CLOSED, ..) => SendError::ClientClosed,
            (DRAINED, ..) => SendError::Drained,
            (_, Some(why), _) => SendError::Egress(why.to_owned()),
            (_, _, Some(why)) => SendError::Tunnel(why.to_owned()),
            _ => SendError::Protocol(format!("internal error: {message}")),
        }
    }

    /// The same error before there was a head. Some hosts have one code for both kinds of silence.
    #[must_use]
    pub fn before_head(self) -> Self {
        match self {
            SendError::IdleTimeout => SendError::FirstByteTimeout,
            error => error,
        }
    }

    /// The same error of an attempt that used this egress, blamed on the egress if it is its fault.
    #[must_use]
    pub fn blamed(self, through: &NamedEgress) -> Self {
        let NamedEgress { name, is_relay } = through;
        match self {
            SendError::Egress(why) => SendError::Egress(format!("{name} {why}")),
            SendError::Tunnel(why) => SendError::Tunnel(format!("{name} {why}")),
            SendError::Denied if *is_relay => SendError::Egress(format!(
                "{name} is at an address that is not allowed; if a private one is meant set `local = true` inside \
                 `egress = {{…}}`"
            )),
            SendError::Connect(_) | SendError::ConnectTimeout | SendError::LookUpTimeout | SendError::Tls(_)
                if *is_relay =>
            {
                SendError::Egress(format!("{name} {}", self.describe()))
            }
            error => error,
        }
    }

    /// Why an answer with this status cannot be used, whatever its body is.
    pub fn of_status(status: u16, is_post: bool) -> Option<Self> {
        match status {
            // Both statuses say that there is no content (RFC 9110, sections 15.3.5 and 15.3.6), and a call needs some.
            204 | 205 if is_post => Some(SendError::Empty),
            // HTTP has five classes of status (RFC 9110, section 15). Hosts allow more.
            100..600 => None,
            _ => Some(SendError::Protocol(format!("its status is {status}"))),
        }
    }

    /// The error when a relay itself answers with this status: it did not reach the origin, or does not let llmio use
    /// it.
    pub fn refused_by_relay(name: &str, status: u16) -> Self {
        match status {
            502 | 504 => SendError::Tunnel(format!("{name} did not get through to it ({status})")),
            401 | 404 => SendError::Egress(format!("{name} refused llmio ({status}); check its name and key")),
            _ => SendError::Egress(format!("{name} refused llmio ({status})")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_words_say_who_ended_an_attempt() {
        for (message, error) in [
            ("client closed", SendError::ClientClosed),
            ("drained", SendError::Drained),
            ("egress proxy: refused it", SendError::Egress("refused it".into())),
            ("egress tunnel: answered 502", SendError::Tunnel("answered 502".into())),
            ("a bug", SendError::Protocol("internal error: a bug".into())),
        ] {
            assert_eq!(SendError::from_runner_message(message), error);
        }
    }

    #[test]
    fn a_silence_before_the_head_is_one_until_the_first_byte() {
        assert_eq!(SendError::IdleTimeout.before_head(), SendError::FirstByteTimeout);
        assert_eq!(SendError::Truncated.before_head(), SendError::Truncated);
    }

    #[test]
    fn a_way_out_is_blamed_for_what_is_its_own() {
        let through = |is_relay| NamedEgress { name: "relay edge".into(), is_relay };
        let blamed = |error: &SendError, is_relay| error.clone().blamed(&through(is_relay));
        let egress = |why: &str| SendError::Egress(format!("relay edge {why}"));
        assert_eq!(blamed(&SendError::Egress("is down".into()), false), egress("is down"));
        assert_eq!(blamed(&SendError::Tunnel("x".into()), true), SendError::Tunnel("relay edge x".into()));
        let of_connection = [SendError::Connect(String::new()), SendError::Tls(String::new())];
        for error in of_connection.into_iter().chain([SendError::ConnectTimeout, SendError::LookUpTimeout]) {
            assert_eq!(blamed(&error, true), egress(&error.describe()), "who is connected to is the relay");
            assert_eq!(blamed(&error, false), error, "a proxy says itself what is its own");
        }
        assert!(matches!(blamed(&SendError::Denied, true), SendError::Egress(why) if why.contains("local = true")));
        for error in [SendError::Denied, SendError::Truncated, SendError::FirstByteTimeout] {
            assert_eq!(blamed(&error, false), error);
        }
    }

    #[test]
    fn a_status_that_promises_no_content_is_no_answer_to_a_call() {
        for (status, is_post, error) in [
            (200, true, None),
            (204, true, Some(SendError::Empty)),
            (205, true, Some(SendError::Empty)),
            (204, false, None),
            (599, true, None),
            (600, false, Some(SendError::Protocol("its status is 600".into()))),
            (99, true, Some(SendError::Protocol("its status is 99".into()))),
        ] {
            assert_eq!(SendError::of_status(status, is_post), error, "{status}");
        }
    }

    #[test]
    fn a_relays_own_refusal_tells_its_fault_from_the_origins() {
        for (status, is_tunnel, hint) in
            [(502, true, false), (504, true, false), (401, false, true), (429, false, false)]
        {
            let error = SendError::refused_by_relay("relay edge", status);
            assert_eq!(matches!(error, SendError::Tunnel(_)), is_tunnel, "{error:?}");
            assert_eq!(error.describe().contains("check its name and key"), hint, "{error:?}");
        }
    }
}
