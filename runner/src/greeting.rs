//! What a start prints to stdout: all that is needed to go on at the first start, and one line later.

use crate::language::{self, Language};
use crate::options::TOKEN_FLAG;
use crate::start::StartedGateway;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::net::SocketAddr;

/// Prints all that is needed to go on, with an example call of this model, if there is one. `link` is a path that signs one
/// browser in to the console.
pub(crate) fn print_first(
    started: &StartedGateway,
    address: SocketAddr,
    model: Option<&str>,
    link: Option<&str>,
) -> io::Result<()> {
    write(&Greeting { link, ..Greeting::of(started, address) }.first(model))
}

/// Whether stdout is a terminal. A log is kept, and read by more people than a terminal.
pub(crate) fn is_read_on_a_terminal() -> bool {
    io::stdout().is_terminal()
}

/// The path of the link that the component has made.
pub(crate) fn link(made: &Value) -> Option<String> {
    made.get("path")?.as_str().map(str::to_owned)
}

/// Prints the address. A closed stdout is no reason not to serve.
pub(crate) fn print_again(started: &StartedGateway, address: SocketAddr) {
    let _ = write(&Greeting::of(started, address).again());
}

/// The model for the first call: of those in the list that clients get, the one that the catalog has first. What stands
/// for all other names comes later in a catalog, and sorts first in the list: its own name is nothing a provider knows.
pub(crate) fn first_model(models: &Value, catalog: &Value) -> Option<String> {
    let names = |of: &Value, rows: &str, name: &str| -> Vec<String> {
        let rows = of.get(rows).and_then(Value::as_array).into_iter().flatten();
        rows.filter_map(|row| row.get(name)?.as_str().map(str::to_owned)).collect()
    };
    let served = names(models, "data", "id");
    let written = names(catalog, "models", "name").into_iter().find(|name| served.contains(name));
    written.or_else(|| served.into_iter().next())
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// An address that can be called, in place of one that means "all addresses".
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// A shell line that makes a first call. The token may be a shell expression.
pub(crate) fn curl(url: &str, token: &str, model: &str) -> String {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "Hello" }] });
    // A quote ends the shell's quoted text, so it is written as a quote between two quoted texts.
    let body = body.to_string().replace('\'', r"'\''");
    format!(
        "curl {url}/v1/chat/completions -H \"Authorization: Bearer {token}\" -H \"Content-Type: application/json\" -d \
         '{body}'"
    )
}

struct Greeting<'a> {
    chinese: bool,
    url: String,
    folder: String,
    /// The flag or variable that gave the token, which is then not repeated.
    token_source: Option<&'static str>,
    token: &'a str,
    /// Whether the token is shown. A log is kept, and read by more people than a terminal.
    shows_token: bool,
    /// A path that signs one browser in to the console.
    link: Option<&'a str>,
}

impl Greeting<'_> {
    fn of(started: &StartedGateway, address: SocketAddr) -> Greeting<'_> {
        Greeting {
            chinese: language::of_process() == Language::Chinese,
            url: format!("http://{}{}", reachable(address), started.gateway.stores().base_path),
            folder: started.folder.path().display().to_string(),
            token_source: started
                .configured_token
                .as_ref()
                .filter(|token_source| !token_source.token.is_empty())
                .map(|token_source| token_source.name),
            token: &started.gateway.stores().token,
            shows_token: is_read_on_a_terminal(),
            link: None,
        }
    }

    fn first(&self, model: Option<&str>) -> String {
        let mut text = self.again();
        let _ = match (self.token_source, self.chinese) {
            (None, false) if !self.shows_token => writeln!(text, "\nAdmin token: `{}` prints it", self.token_command()),
            (None, true) if !self.shows_token => writeln!(text, "\n管理令牌：运行 `{}` 查看", self.token_command()),
            (None, false) => writeln!(text, "\nAdmin token: {}\n(`llmio token` prints it again)", self.token),
            (None, true) => writeln!(text, "\n管理令牌：{}\n（运行 `llmio token` 可再次查看）", self.token),
            (Some(name), false) => writeln!(text, "\nAdmin token: the one given in {name}"),
            (Some(name), true) => writeln!(text, "\n管理令牌：{name} 中设置的令牌"),
        };
        let _ = match (self.link, self.chinese) {
            (Some(link), false) => {
                writeln!(text, "\nConsole: {}/{link}\n(signs one browser in, once, within ten minutes)", self.url)
            }
            (Some(link), true) => {
                writeln!(text, "\n控制台：{}/{link}\n（十分钟内，仅供一个浏览器登录一次）", self.url)
            }
            (None, false) => writeln!(text, "\nConsole: {}", self.url),
            (None, true) => writeln!(text, "\n控制台：{}", self.url),
        };
        if let Some(model) = model {
            text.push_str(if self.chinese { "\n马上试一试：\n" } else { "\nTry it:\n" });
            let _ = writeln!(text, "{}", self.curl(model));
        }
        text
    }

    fn curl(&self, model: &str) -> String {
        let token = match self.token_source {
            None if self.shows_token => self.token.to_owned(),
            None => format!("$({})", self.token_command()),
            // The reader's shell does not know a flag of this process.
            Some(TOKEN_FLAG) => "YOUR_TOKEN".to_owned(),
            Some(variable) => format!("${variable}"),
        };
        curl(&self.url, &token, model)
    }

    /// The command that prints the token of this data folder.
    fn token_command(&self) -> String {
        match self.folder.as_str() {
            "data" => "llmio token".to_owned(),
            folder => format!("llmio token --data '{}'", folder.replace('\'', r"'\''")),
        }
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

    fn greeting(chinese: bool, token_source: Option<&'static str>) -> Greeting<'static> {
        let (url, folder) = ("http://127.0.0.1:7070".into(), "data".into());
        Greeting { chinese, url, folder, token_source, token: "abc123", shows_token: true, link: None }
    }

    #[test]
    fn without_a_terminal_the_token_is_not_shown_but_how_to_get_it() {
        for chinese in [false, true] {
            let text = Greeting { shows_token: false, ..greeting(chinese, None) }.first(Some("demo"));
            assert!(!text.contains("abc123") && text.contains("Bearer $(llmio token)"), "{text}");
            let (folder, hidden) = ("it's".to_owned(), greeting(chinese, None));
            let text = Greeting { shows_token: false, folder, ..hidden }.first(Some("demo"));
            assert!(text.contains(r"$(llmio token --data 'it'\''s')"), "{text}");
        }
    }

    #[test]
    fn the_first_start_prints_a_curl_line_that_works_as_it_is() {
        let text = greeting(false, None).first(Some("demo"));
        let curl = text.lines().find(|line| line.starts_with("curl ")).expect("a curl line");
        assert!(curl.contains("http://127.0.0.1:7070/v1/chat/completions"), "{curl}");
        assert!(curl.contains("Authorization: Bearer abc123"), "{curl}");
        let body = curl.split('\'').nth(1).expect("a quoted body");
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body["model"], "demo");
    }

    #[test]
    fn a_link_to_the_console_is_whole() {
        for chinese in [false, true] {
            let text = Greeting { link: Some("console/enter?link=x"), ..greeting(chinese, None) }.first(Some("demo"));
            assert!(text.contains("http://127.0.0.1:7070/console/enter?link=x\n"), "{text}");
        }
        assert_eq!(
            link(&json!({ "path": "console/enter?link=x", "until_ms": 1 })).as_deref(),
            Some("console/enter?link=x")
        );
        assert_eq!(link(&json!({ "status": 503 })), None);
    }

    #[test]
    fn without_a_model_there_is_no_curl_line() {
        for chinese in [false, true] {
            let text = greeting(chinese, None).first(None);
            assert!(text.contains("abc123") && !text.contains("curl") && text.ends_with('\n'), "{text}");
        }
    }

    #[test]
    fn a_model_name_cannot_leave_its_quotes() {
        let curl = greeting(false, None).curl("it's \"x\"");
        assert!(curl.contains(r#""model":"it'\''s \"x\"""#), "{curl}");
    }

    #[test]
    fn the_model_is_the_catalogs_first_of_those_that_clients_may_call() {
        let models = json!({ "object": "list", "data": [{ "id": "any" }, { "id": "small" }] });
        let catalog = json!({ "models": [{ "name": "disabled" }, { "name": "small" }, { "name": "any" }] });
        assert_eq!(first_model(&models, &catalog).as_deref(), Some("small"));
        // What is built in stands in no catalog.
        for none in [json!({}), json!({ "error": {} }), Value::Null] {
            assert_eq!(first_model(&models, &none).as_deref(), Some("any"));
            assert_eq!(first_model(&none, &catalog), None);
        }
        assert_eq!(first_model(&json!({ "object": "list", "data": [] }), &catalog), None);
    }

    #[test]
    fn a_token_that_was_given_is_referred_to_and_not_repeated() {
        for chinese in [false, true] {
            let text = greeting(chinese, Some("TOKEN")).first(Some("demo"));
            assert!(text.contains("Bearer $TOKEN") && !text.contains("abc123"), "{text}");
            let text = greeting(chinese, Some(TOKEN_FLAG)).first(Some("demo"));
            assert!(text.contains("Bearer YOUR_TOKEN") && text.contains("--token"), "{text}");
            assert!(!text.contains('$') && !text.contains("abc123"), "{text}");
        }
    }

    #[test]
    fn later_starts_print_one_line_in_either_language() {
        assert_eq!(greeting(false, None).again().lines().count(), 1);
        assert!(greeting(true, None).again().contains("数据目录"));
        assert!(greeting(true, None).first(Some("demo")).contains("马上试一试"));
    }

    #[test]
    fn an_address_for_all_interfaces_is_shown_as_one_that_can_be_called() {
        let shown = |text: &str| reachable(text.parse().expect("an address")).to_string();
        assert_eq!(shown("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(shown("[::]:80"), "[::1]:80");
        assert_eq!(shown("10.1.1.1:80"), "10.1.1.1:80");
    }
}
