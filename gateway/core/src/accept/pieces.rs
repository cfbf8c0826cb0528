//! What a call generates or transcribes apart from text, as far as the request says. It is read only if money is
//! counted.

use serde_json::{Map, Value};

use super::form;
use crate::call::Call;
use crate::neutral::json::is_too_intricate;
use crate::operation::Operation;
use crate::price::{Pieces, Quality};

/// The rate that is assumed for a recording in an unknown format: 32 kbit/s, as speech is usually compressed. Too few
/// seconds would leave part of the cost unpaid.
const BYTES_PER_SECOND: u64 = 4_000;

/// The most images that any image API makes at once.
const IMAGES_MAX: u64 = 100;

/// Reads what a call generates or transcribes.
pub(super) fn pieces(call: &Call) -> Pieces {
    match call.operation {
        Operation::Images | Operation::ImageEdits => {
            let members = members_of(call);
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            Pieces::Images {
                count: members.get("n").and_then(count).unwrap_or(1).clamp(1, IMAGES_MAX),
                pixels: text("size").and_then(pixels),
                quality: text("quality").map_or(Quality::Unsaid, quality),
            }
        }
        Operation::Speech => {
            let members = members_of(call);
            let input = members.get("input").and_then(Value::as_str);
            Pieces::Characters(input.map_or(call.body.len(), |input| input.chars().count()) as u64)
        }
        Operation::Transcriptions | Operation::Translations => Pieces::AudioMs(audio_ms(&call.body)),
        _ => Pieces::None,
    }
}

/// The members of the body that say so. If one is written twice the last counts, as for nearly all JSON parsers. A body
/// with too many values to be parsed counts as the most that can be asked for.
fn members_of(call: &Call) -> Map<String, Value> {
    if is_too_intricate(&call.body) {
        return Map::from_iter([("n".to_owned(), IMAGES_MAX.into())]);
    }
    serde_json::from_slice(&call.body).ok().or_else(|| in_form(&call.body)).unwrap_or_default()
}

/// The same members in a form, whose first line holds its boundary.
fn in_form(body: &[u8]) -> Option<Map<String, Value>> {
    let line = body.strip_prefix(b"--")?;
    let line = line.get(..line.iter().position(|byte| *byte == b'\r')?)?;
    let fields = form::fields(body, std::str::from_utf8(line).ok()?)?;
    let text = |field: form::Field| {
        let value = String::from_utf8_lossy(body.get(field.value)?).into_owned();
        Some((field.name, Value::from(value)))
    };
    Some(fields.into_iter().filter_map(text).collect())
}

fn count(n: &Value) -> Option<u64> {
    let number = n.as_f64().or_else(|| n.as_str()?.trim().parse().ok())?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of images, and clamped")]
    Some(number.ceil().clamp(0.0, 1e9) as u64)
}

/// The pixels of a size such as `1792x1024`; `None` if the model chooses the size.
fn pixels(size: &str) -> Option<u64> {
    let (width, height) = size.split_once(['x', 'X', '*', '×'])?;
    width.trim().parse::<u64>().ok()?.checked_mul(height.trim().parse().ok()?)
}

fn quality(text: &str) -> Quality {
    match text.to_ascii_lowercase().as_str() {
        "low" => Quality::Low,
        "medium" | "standard" => Quality::Medium,
        "high" | "hd" | "ultra" => Quality::High,
        _ => Quality::Unsaid,
    }
}

/// The length of a recording. A WAV file says how many bytes a second takes.
fn audio_ms(body: &[u8]) -> u64 {
    const FORMAT: &[u8] = b"WAVEfmt ";
    let found = memchr::memmem::find(body, FORMAT).and_then(|at| {
        let rate = body.get(at + FORMAT.len() + 12..)?.first_chunk::<4>()?;
        Some(u64::from(u32::from_le_bytes(*rate))).filter(|rate| (1_000..=200_000).contains(rate))
    });
    (body.len() as u64).saturating_mul(1000) / found.unwrap_or(BYTES_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::super::{Head, call};
    use super::*;

    fn of(operation: Operation, content_type: &str, body: &[u8]) -> Pieces {
        let head = Head { model: Some("m".into()), content_type: content_type.as_bytes(), ..Head::default() };
        pieces(&call(operation, head, body.to_vec()).expect("a valid body"))
    }

    #[test]
    fn a_request_tells_how_much_is_to_be_made() {
        let json = |operation, body: &str| of(operation, "application/json", body.as_bytes());
        let images = |count, pixels, quality| Pieces::Images { count, pixels, quality };
        for (body, pieces) in [
            (r#"{"n":2,"size":"1792x1024","quality":"hd"}"#, images(2, Some(1_835_008), Quality::High)),
            (r#"{"n":"3","size":"auto","quality":"low"}"#, images(3, None, Quality::Low)),
            (r#"{"n":null}"#, images(1, None, Quality::Unsaid)),
            (r#"{"n":1,"size":7,"n":2.0}"#, images(2, None, Quality::Unsaid)),
            (r#"{"n":-1}"#, images(1, None, Quality::Unsaid)),
            (r#"{"n":1000000}"#, images(IMAGES_MAX, None, Quality::Unsaid)),
        ] {
            assert_eq!(json(Operation::Images, body), pieces, "{body}");
        }
        assert_eq!(json(Operation::Speech, r#"{"input":"你好!"}"#), Pieces::Characters(3));
        assert_eq!(json(Operation::Speech, r#"{"input":7}"#), Pieces::Characters(11), "never nothing");
        assert_eq!(json(Operation::Chat, r#"{"n":2}"#), Pieces::None);
        let intricate = format!(r#"{{"n":1,"x":[{}0]}}"#, "0,".repeat(500_000));
        assert_eq!(json(Operation::Images, &intricate), images(IMAGES_MAX, None, Quality::Unsaid));
        let form = b"--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n4\r\n--b--\r\n";
        let edits = of(Operation::ImageEdits, "multipart/form-data; boundary=b", form);
        assert_eq!(edits, images(4, None, Quality::Unsaid));
    }

    #[test]
    fn a_recording_is_as_long_as_its_file_says() {
        let audio = |bytes: &[u8]| match pieces(&Call { body: bytes.to_vec(), ..transcription() }) {
            Pieces::AudioMs(ms) => ms,
            other => panic!("{other:?}"),
        };
        let mut wave = [b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".as_slice(), &16_000u32.to_le_bytes()].concat();
        wave.extend(32_000u32.to_le_bytes());
        wave.resize(64_000, 0);
        assert_eq!(audio(&wave), 2_000);
        assert_eq!(audio(&[0; 8_000]), 2_000);
    }

    fn transcription() -> Call {
        let head = Head { model: Some("m".into()), ..Head::default() };
        call(Operation::Transcriptions, head, b"{}".to_vec()).expect("a valid body")
    }
}
