//! What a start prints on stdout: at the first one all that is needed to go on, later one line.

use crate::language::{self, Language};
use crate::start::Started;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;

/// Prints the greeting; a closed stdout is no reason not to serve.
pub(crate) fn print(started: &Started, address: SocketAddr) {
    let text = Greeting {
        chinese: language::of_process() == Language::Chinese,
        url: format!("http://{}", reachable(address)),
        folder: started.folder.path().display().to_string(),
        given: started.given_token.as_ref().filter(|given| !given.token.is_empty()).map(|given| given.variable),
        token: &started.gateway.stores().token,
    };
    let text = if started.folder.is_new() { text.first() } else { text.again() };
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// An address that means "all" is no address to call.
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

struct Greeting<'a> {
    chinese: bool,
    url: String,
    folder: String,
    /// The variable the token was given in; then the token itself is not repeated.
    given: Option<&'static str>,
    token: &'a str,
}

impl Greeting<'_> {
    fn first(&self) -> String {
        let mut text = self.again();
        let _ = match (self.given, self.chinese) {
            (None, false) => writeln!(text, "\nAdmin token: {}\n(`llmio token` prints it again)", self.token),
            (None, true) => writeln!(text, "\n管理令牌：{}\n（运行 `llmio token` 可再次查看）", self.token),
            (Some(name), false) => writeln!(text, "\nAdmin token: the one given in {name}"),
            (Some(name), true) => writeln!(text, "\n管理令牌：{name} 中设置的令牌"),
        };
        text.push_str(if self.chinese { "\n马上试一试：\n" } else { "\nTry it:\n" });
        let token = self.given.map_or_else(|| self.token.to_owned(), |name| format!("${name}"));
        let _ = writeln!(
            text,
            "curl {}/v1/chat/completions -H \"Authorization: Bearer {token}\" -H \"Content-Type: application/json\" \
             -d '{{\"model\":\"demo\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'",
            self.url
        );
        text
    }

    fn again(&self) -> String {
        let (url, folder) = (&self.url, &self.folder);
        if self.chinese {
            format!("llmio 已启动：{url}（数据目录 {folder}）\n")
        } else {
            format!("llmio listens on {url} (data in {folder})\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(chinese: bool, given: Option<&'static str>) -> Greeting<'static> {
        Greeting { chinese, url: "http://127.0.0.1:7070".into(), folder: "data".into(), given, token: "abc123" }
    }

    #[test]
    fn the_first_start_prints_a_curl_line_that_works_as_it_is() {
        let text = greeting(false, None).first();
        let curl = text.lines().find(|line| line.starts_with("curl ")).expect("a curl line");
        assert!(curl.contains("http://127.0.0.1:7070/v1/chat/completions"), "{curl}");
        assert!(curl.contains("Authorization: Bearer abc123"), "{curl}");
        let body = curl.split('\'').nth(1).expect("a quoted body");
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body["model"], "demo");
    }

    #[test]
    fn a_token_that_was_given_is_referred_to_and_not_repeated() {
        for chinese in [false, true] {
            let text = greeting(chinese, Some("TOKEN")).first();
            assert!(text.contains("Bearer $TOKEN") && !text.contains("abc123"), "{text}");
        }
    }

    #[test]
    fn later_starts_print_one_line_in_either_language() {
        assert_eq!(greeting(false, None).again().lines().count(), 1);
        assert!(greeting(true, None).again().contains("数据目录"));
        assert!(greeting(true, None).first().contains("马上试一试"));
    }

    #[test]
    fn an_address_for_all_interfaces_is_shown_as_one_that_can_be_called() {
        let shown = |text: &str| reachable(text.parse().expect("an address")).to_string();
        assert_eq!(shown("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(shown("[::]:80"), "[::1]:80");
        assert_eq!(shown("10.1.1.1:80"), "10.1.1.1:80");
    }
}
