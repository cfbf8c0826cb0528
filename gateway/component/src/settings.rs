//! What llmio was given by its host: token, master keys and secrets. The runner judges them before it begins and refuses to
//! start; other hosts hand on whatever they are told, so that it is judged here, where it shows on `/readyz` and in answers.

use gateway_core::authenticate::Token;
use gateway_core::authenticate::strength::TokenTrouble;
use gateway_core::catalog::Sealer;
use gateway_core::refusal::Refusal;

use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;

/// How a variable is set on hosts that are not the runner.
fn how_to_set(name: &str, what: &str) -> String {
    format!("set the variable `{name}` (under Spin SPIN_VARIABLE_{}) to {what}", name.to_ascii_uppercase())
}

const GOOD_TOKEN: &str = "16 or more random characters";

/// Refuses whoever may not be served with such a token.
pub(crate) fn check_token(instance: &Instance, token: &Token, incoming: &Incoming) -> Result<(), Refusal> {
    let is_same_machine = || incoming.peer.is_some_and(|peer| peer.to_canonical().is_loopback());
    let trouble = token.trouble().filter(|_| !instance.host.judges_settings);
    let Some(trouble) = trouble.filter(|trouble| trouble.refuses(is_same_machine())) else { return Ok(()) };
    let why = match trouble {
        TokenTrouble::Unsendable(why) => format!("{why}, which no HTTP header can carry"),
        TokenTrouble::Weak(why) => format!("{why}, and others can reach llmio"),
    };
    let message = format!("The admin token {why}: {}, and start it again.", how_to_set("token", GOOD_TOKEN));
    Err(Refusal::unavailable("not_configured", message))
}

/// What is wrong with the settings although calls are served, for `/readyz`. No value is repeated.
pub(crate) async fn troubles(instance: &Instance, token: &Token) -> Vec<String> {
    if instance.host.judges_settings {
        return Vec::new();
    }
    let weak = token.trouble().map(|trouble| {
        let why = trouble.describe();
        format!("token: it {why} and is accepted from this machine only; {}", how_to_set("token", GOOD_TOKEN))
    });
    let mut troubles = Vec::from_iter(weak);
    for name in ["master_key", "master_key_previous"] {
        if host::variable(name).await.is_some_and(|key| Sealer::new(&key).is_err()) {
            let how = how_to_set(name, "the key that they were sealed with, of 16 or more characters");
            troubles
                .push(format!("{name}: it has fewer than 16 characters, and no stored secret can be opened; {how}"));
        }
    }
    let secrets = host::variable("secrets").await;
    let parsed = secrets.map(|text| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text));
    // The parser's message is not used, since it may quote the value.
    if let Some(Err(error)) = parsed {
        let (line, column) = (error.line(), error.column());
        let how = how_to_set("secrets", "one such as {\"NAME\": \"value\"}");
        troubles.push(format!("secrets: no JSON object, see line {line} column {column}; {how}"));
    }
    troubles
}
