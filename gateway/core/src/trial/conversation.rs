//! What a person writes to a model in the console, as a request of any dialect.

use serde_json::{Map, Value, json};

use crate::dialect::Dialect;
use crate::operation::Operation;
use crate::uri::encode_parameter;

/// The most tokens of an answer where nobody says how many. Anthropic's API requires a number.
const TOKENS_DEFAULT: u64 = 4096;

/// A conversation whose last word is the person's.
#[derive(Debug)]
pub struct Conversation<'a> {
    /// The public model.
    pub model: &'a str,
    /// What the model is told beforehand.
    pub system: Option<&'a str>,
    /// What was said in turn. The person begins and has the last word.
    pub turns: Vec<&'a str>,
    /// Whether the answer comes as it is made.
    pub streamed: bool,
    /// Default: the model's.
    pub temperature: Option<f64>,
    /// The most tokens of the answer. Default: the model's, of Anthropic's dialect 4,096.
    pub tokens_max: Option<u64>,
}

/// A conversation as a request.
#[derive(Debug)]
pub struct Written {
    /// What is asked of a provider.
    pub operation: Operation,
    /// The part of the path that names the model, where it stands there.
    pub parameter: String,
    /// What stands behind the path.
    pub query: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Conversation<'_> {
    /// The request of this dialect.
    pub fn in_dialect(&self, dialect: Dialect) -> Written {
        let (model, streamed) = (self.model, self.streamed);
        let body = match dialect {
            Dialect::OpenaiChat => {
                let system = self.system.map(|text| json!({ "role": "system", "content": text }));
                let messages: Vec<Value> = system.into_iter().chain(self.messages()).collect();
                let usage = streamed.then(|| json!({ "include_usage": true }));
                self.with(
                    "temperature",
                    "max_completion_tokens",
                    self.tokens_max,
                    vec![
                        ("model", Some(model.into())),
                        ("messages", Some(messages.into())),
                        ("stream", Some(streamed.into())),
                        ("stream_options", usage),
                    ],
                )
            }
            Dialect::OpenaiResponses => self.with(
                "temperature",
                "max_output_tokens",
                self.tokens_max,
                vec![
                    ("model", Some(model.into())),
                    ("instructions", self.system.map(Value::from)),
                    ("input", Some(self.messages().collect::<Vec<_>>().into())),
                    ("stream", Some(streamed.into())),
                    ("store", Some(false.into())),
                ],
            ),
            Dialect::Anthropic => {
                let most = self.tokens_max.unwrap_or(TOKENS_DEFAULT);
                self.with(
                    "temperature",
                    "max_tokens",
                    Some(most),
                    vec![
                        ("model", Some(model.into())),
                        ("system", self.system.map(Value::from)),
                        ("messages", Some(self.messages().collect::<Vec<_>>().into())),
                        ("stream", Some(streamed.into())),
                    ],
                )
            }
            Dialect::Gemini => {
                let options = self.with("temperature", "maxOutputTokens", self.tokens_max, Vec::new());
                let system = self.system.map(|text| json!({ "parts": [{ "text": text }] }));
                let contents: Vec<Value> = self.contents().collect();
                object(vec![
                    ("systemInstruction", system),
                    ("contents", Some(contents.into())),
                    ("generationConfig", Some(options)),
                ])
            }
        };
        let is_gemini = dialect == Dialect::Gemini;
        Written {
            operation: Operation::chat_in(dialect, streamed),
            parameter: if is_gemini { encode_parameter(model) } else { String::new() },
            query: (is_gemini && streamed).then(|| "alt=sse".to_owned()),
            body: body.to_string().into_bytes(),
        }
    }

    /// These members with what is asked of the answer, under the names that the dialect has for it.
    fn with(
        &self,
        temperature: &'static str,
        tokens: &'static str,
        most: Option<u64>,
        mut members: Vec<(&'static str, Option<Value>)>,
    ) -> Value {
        members.push((temperature, self.temperature.map(Value::from)));
        members.push((tokens, most.map(Value::from)));
        object(members)
    }

    fn messages(&self) -> impl Iterator<Item = Value> {
        self.turns_with_roles("assistant").map(|(role, text)| json!({ "role": role, "content": text }))
    }

    fn contents(&self) -> impl Iterator<Item = Value> {
        self.turns_with_roles("model").map(|(role, text)| json!({ "role": role, "parts": [{ "text": text }] }))
    }

    fn turns_with_roles(&self, model: &'static str) -> impl Iterator<Item = (&'static str, &str)> {
        self.turns.iter().enumerate().map(move |(turn, text)| (if turn % 2 == 0 { "user" } else { model }, *text))
    }
}

fn object(members: Vec<(&'static str, Option<Value>)>) -> Value {
    let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(members.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::{self, Head};

    fn conversation(streamed: bool) -> Conversation<'static> {
        let turns = vec!["a", "b", "c"];
        Conversation { model: "m", system: Some("s"), turns, streamed, temperature: Some(0.5), tokens_max: Some(9) }
    }

    #[test]
    fn a_conversation_is_written_in_the_words_of_each_dialect() {
        for (dialect, expected) in [
            (
                Dialect::OpenaiChat,
                r#"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}],"stream":true,"stream_options":{"include_usage":true},"temperature":0.5,"max_completion_tokens":9}"#,
            ),
            (
                Dialect::OpenaiResponses,
                r#"{"model":"m","instructions":"s","input":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}],"stream":true,"store":false,"temperature":0.5,"max_output_tokens":9}"#,
            ),
            (
                Dialect::Anthropic,
                r#"{"model":"m","system":"s","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}],"stream":true,"temperature":0.5,"max_tokens":9}"#,
            ),
            (
                Dialect::Gemini,
                r#"{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]},{"role":"user","parts":[{"text":"c"}]}],"generationConfig":{"temperature":0.5,"maxOutputTokens":9}}"#,
            ),
        ] {
            let written = conversation(true).in_dialect(dialect);
            assert_eq!(written.operation, Operation::chat_in(dialect, true));
            assert_eq!(String::from_utf8(written.body).expect("text"), expected);
        }
    }

    #[test]
    fn what_is_written_is_accepted_as_a_call() {
        for (dialect, streamed) in Dialect::ALL.into_iter().flat_map(|dialect| [(dialect, true), (dialect, false)]) {
            let bare = Conversation {
                system: None,
                turns: vec!["a"],
                temperature: None,
                tokens_max: None,
                ..conversation(streamed)
            };
            for conversation in [conversation(streamed), bare] {
                let Written { operation, parameter, query, body } = conversation.in_dialect(dialect);
                let model = Some(parameter).filter(|parameter| !parameter.is_empty());
                let head = Head { model, query: query.as_deref(), ..Head::default() };
                let call = accept::call(operation, head, body).expect("a call");
                assert_eq!((call.model.as_str(), call.streamed), ("m", streamed), "{dialect:?}");
            }
        }
    }
}
