//! What a call needs of a target, and what its prompt begins with: a second look at the body, taken only where a catalog
//! asks for it.

use serde_json::value::RawValue;

use super::Call;

/// What a call needs of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// It brings tools.
    pub tools: bool,
    /// It wants an answer that follows a JSON schema.
    pub structured: bool,
    /// It brings images.
    pub images: bool,
    /// What it takes of a context window, estimated: four bytes to a token.
    pub tokens: u64,
}

/// The members a call's demand is read from, unparsed: a body is large, and a member of another shape than its dialect
/// says must not hide the others.
#[derive(serde::Deserialize)]
struct Demanding<'b> {
    #[serde(borrow, default)]
    tools: Option<&'b RawValue>,
    #[serde(borrow, default)]
    response_format: Option<&'b RawValue>,
    #[serde(borrow, default)]
    messages: Option<&'b RawValue>,
}

#[derive(serde::Deserialize)]
struct Typed {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(serde::Deserialize)]
struct Message<'b> {
    #[serde(default)]
    role: String,
    #[serde(borrow, default)]
    content: Option<&'b RawValue>,
}

impl<'b> Demanding<'b> {
    fn tools(&self) -> Option<&'b str> {
        self.tools.map(RawValue::get).filter(|tools| tools.starts_with('[') && *tools != "[]")
    }

    fn messages(&self) -> impl Iterator<Item = Message<'b>> {
        list(self.messages).into_iter().filter_map(|message| serde_json::from_str(message.get()).ok())
    }
}

fn list(raw: Option<&RawValue>) -> Vec<&RawValue> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

fn kind_of(raw: &RawValue) -> Option<String> {
    serde_json::from_str::<Typed>(raw.get()).ok().map(|typed| typed.kind)
}

/// Reads what a call needs of a target. Asked only where some target lacks something: most catalogs have none, and the
/// body would be read a second time for nothing.
pub fn demand(call: &Call) -> Demand {
    let Ok(body) = serde_json::from_slice::<Demanding<'_>>(&call.body) else { return Demand::default() };
    let is_image = |part: &&RawValue| matches!(kind_of(part).as_deref(), Some("image_url" | "input_image" | "image"));
    let (mut images, mut image_bytes) = (false, 0);
    for part in body.messages().flat_map(|message| list(message.content)).filter(is_image) {
        images = true;
        image_bytes += part.get().len();
    }
    Demand {
        tools: body.tools().is_some(),
        structured: body.response_format.and_then(kind_of).is_some_and(|kind| kind == "json_schema"),
        images,
        // An image is worth a thousand tokens, not the millions of its base64.
        tokens: (call.body.len().saturating_sub(image_bytes) / 4) as u64,
    }
}

/// The beginning of a prompt that a provider may have cached: the tools and everything up to the first words of the
/// user. `None` below 1,024 tokens, which no provider caches.
pub fn prompt_beginning(call: &Call) -> Option<Vec<u8>> {
    const TOKENS_MIN: usize = 1024;
    if call.body.len() / 4 < TOKENS_MIN {
        return None;
    }
    let body: Demanding<'_> = serde_json::from_slice(&call.body).ok()?;
    let mut beginning = body.tools().unwrap_or_default().as_bytes().to_vec();
    for message in body.messages() {
        beginning.extend_from_slice(message.content.map_or("", RawValue::get).as_bytes());
        if message.role == "user" {
            break;
        }
    }
    (!beginning.is_empty()).then_some(beginning)
}
