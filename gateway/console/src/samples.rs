//! What to set in each client: the samples of `gateway/docs/clients.md`, which are tested with the clients themselves.
//! They are written only there; here they get the reader's address and model.

/// The document.
const CLIENTS: &str = include_str!("../../docs/clients.md");

/// What the document calls the address and the model.
const ADDRESS: &str = "http://127.0.0.1:7070";
const MODEL: &str = "assistant";

/// A sample of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The client's name.
    pub(crate) client: &'static str,
    /// The file it belongs to, or what makes it work.
    pub(crate) place: Option<&'static str>,
    /// The text as it is to be set.
    pub(crate) text: String,
}

/// Every sample, for this address and model. Each is a fenced block after a line that names its client: `Codex
/// (`~/.codex/…`):`.
pub(crate) fn all(address: &str, model: &str) -> Vec<Sample> {
    let section = CLIENTS.split("\n## ").find(|section| section.starts_with("Connect a client")).unwrap_or_default();
    let parts: Vec<&'static str> = section.split("```").collect();
    parts
        .chunks_exact(2)
        .filter_map(|pair| {
            let [before, fence] = pair else { return None };
            let line = before.trim_end().lines().last()?;
            let (client, rest) = line.strip_suffix(':')?.split_once(" (").unwrap_or((line.strip_suffix(':')?, ""));
            let (_, text) = fence.split_once('\n')?;
            let place = rest.split('`').nth(1);
            Some(Sample { client, place, text: text.trim_end().replace(ADDRESS, address).replace(MODEL, model) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_of_the_document_has_the_readers_address_and_model() {
        let samples = all("https://llm.example/x", "qwen3-coder");
        let clients: Vec<&str> = samples.iter().map(|sample| sample.client).collect();
        assert_eq!(clients, ["Claude Code", "Codex", "Gemini CLI", "Qwen Code", "Python"]);
        assert_eq!(samples[1].place, Some("~/.codex/config.toml"));
        for sample in samples {
            assert!(sample.text.contains("https://llm.example/x") && sample.text.contains("qwen3-coder"), "{sample:?}");
            assert!(!sample.text.contains("127.0.0.1") && !sample.text.contains("assistant"), "{sample:?}");
        }
    }
}
