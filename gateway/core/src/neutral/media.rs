//! Pictures, documents and recordings: data URLs and media types.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::Media;

impl Media {
    /// The media of an address: the address itself, or the bytes of a data URL. `None` for a data URL that is not in
    /// base64. <https://www.rfc-editor.org/rfc/rfc2397>
    pub(crate) fn from_url(mut url: String) -> Option<Media> {
        if !url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) {
            return Some(Media::Url { url, media_type: None });
        }
        let comma = url.find(',')?;
        let data = url.split_off(comma + 1);
        let head = url.get(5..comma)?;
        let media_type = head.strip_suffix(";base64")?;
        let media_type = media_type.split(';').next().unwrap_or_default();
        let media_type = if media_type.is_empty() { "application/octet-stream" } else { media_type };
        Some(Media::Base64 { media_type: media_type.to_ascii_lowercase(), data })
    }

    /// A text in place of a picture, for clients whose dialect has no place for one in an answer. The picture in base64
    /// would come back as text with every further request.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Media::Url { url, .. } => format!("![picture]({url})"),
            Media::Base64 { media_type, .. } => {
                format!("[The model made a picture ({media_type}), for which this API has no place in an answer.]")
            }
        }
    }

    /// An address or data URL of the media.
    pub(crate) fn into_url(self) -> String {
        match self {
            Media::Url { url, .. } => url,
            Media::Base64 { media_type, data } => {
                let mut url = format!("data:{media_type};base64,");
                url.push_str(&data);
                url
            }
        }
    }
}

/// The text that is encoded in base64; `None` if it is no text.
pub(crate) fn text_of(data: &str) -> Option<String> {
    String::from_utf8(BASE64_STANDARD.decode(data).ok()?).ok()
}
