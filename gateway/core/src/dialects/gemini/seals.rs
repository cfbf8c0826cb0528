//! Seals, which stand in `thoughtSignature`: <https://ai.google.dev/gemini-api/docs/thought-signatures>.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};

use crate::dialect::Dialect;
use crate::neutral::SEAL_PREFIX;
use crate::neutral::sealed::{self, Sealed};

/// What Google's documentation gives for calls that another model made and that have no seal: Gemini 3 refuses calls
/// without any. <https://ai.google.dev/gemini-api/docs/thought-signatures#faqs>
pub(crate) const NO_SEAL: &str = "skip_thought_signature_validator";

/// The same, and the other text for it.
const NO_SEALS: [&str; 2] = [NO_SEAL, "context_engineering_is_the_way_to_go"];

/// Reads both alphabets of base64: Google's Python SDK decodes one and encodes the other.
const EITHER: [GeneralPurpose; 2] = {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [GeneralPurpose::new(&alphabet::STANDARD, CONFIG), GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG)]
};

/// Reads a `thoughtSignature`.
pub(super) fn read(signature: String) -> Option<Sealed> {
    if NO_SEALS.contains(&signature.as_str()) {
        return None;
    }
    let written = EITHER.iter().find_map(|engine| String::from_utf8(engine.decode(&signature).ok()?).ok());
    match written.and_then(|written| sealed::read(written, Dialect::Gemini)) {
        None | Some(Sealed::Own(_)) => sealed::read(signature, Dialect::Gemini),
        foreign => foreign,
    }
}

/// Writes a seal. The field holds bytes, and SDKs refuse what is not base64, which other providers' seals are not.
pub(super) fn write(seal: String) -> String {
    if seal.starts_with(SEAL_PREFIX) { general_purpose::STANDARD.encode(seal) } else { seal }
}
