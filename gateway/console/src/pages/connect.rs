//! Connect: what to set in a client, as text to copy.

use askama::Template;

use crate::frame::Frame;
use crate::routes::Page;
use crate::samples::{self, Sample};
use crate::words::connect::Words;

/// What to set in each client.
#[derive(Debug, Template)]
#[template(path = "connect.html")]
pub struct ConnectPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    /// The models that the reader may use, and for each whether it is the one in the texts.
    models: Vec<(&'a str, bool)>,
    bases: [(&'static str, String); 4],
    samples: Vec<Sample>,
}

impl<'a> ConnectPage<'a> {
    /// The page for a reader who reaches llmio at `address` and may use these models, of which one is `chosen`.
    pub fn of(frame: &'a Frame, address: &str, models: &'a [String], chosen: Option<&str>) -> Self {
        let words = Words(frame.language);
        let address = address.trim_end_matches('/');
        let chosen = models.iter().find(|model| Some(model.as_str()) == chosen).or(models.first());
        let model = chosen.map_or("assistant", String::as_str);
        let bases = [
            (words.openai(), format!("{address}/v1")),
            (words.anthropic(), address.to_owned()),
            (words.gemini(), address.to_owned()),
            (words.azure(), address.to_owned()),
        ];
        ConnectPage {
            frame,
            here: Some(Page::Connect),
            words,
            models: models.iter().map(|each| (each.as_str(), each == model)).collect(),
            bases,
            samples: samples::all(address, model),
        }
    }
}
