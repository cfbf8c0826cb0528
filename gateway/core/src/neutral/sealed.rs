//! Seals in dialects that have a single place for them: Responses' `encrypted_content`, Gemini's `thoughtSignature`. A
//! seal of another provider is written there together with what it seals, since the place does not tell.

use crate::dialect::Dialect;

use super::{ReasoningPart, Seal};

const SIGNATURE: &str = "llmio:signature:";
const WHOLE: &str = "llmio:whole:";
const CALL: &str = "llmio:call:";

/// The contents of the single place for seals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sealed {
    /// The seal on the reasoning that it accompanies.
    Signature(Seal),
    /// Reasoning that is sealed as a whole.
    Whole(Seal),
    /// The seal on a call, with the call's id.
    Call(String, Seal),
    /// A seal of the dialect's own, whose meaning follows from its place.
    Own(Seal),
}

/// The seal of reasoning.
pub(crate) fn of_reasoning(reasoning: ReasoningPart, own: Dialect) -> Option<String> {
    let whole = reasoning.sealed.map(|seal| of_whole(seal, own));
    whole.or_else(|| reasoning.signature.map(|seal| of_signature(seal, own)))
}

/// See [`ReasoningPart::sealed`].
pub(crate) fn of_whole(seal: Seal, own: Dialect) -> String {
    written(WHOLE, seal, own)
}

/// See [`ReasoningPart::signature`].
pub(crate) fn of_signature(seal: Seal, own: Dialect) -> String {
    written(SIGNATURE, seal, own)
}

fn written(kind: &str, seal: Seal, own: Dialect) -> String {
    let is_own = seal.by == own;
    let text = seal.for_client(own);
    if is_own { text } else { format!("{kind}{text}") }
}

/// The seal on a call, for a dialect whose calls have no place for it. A seal contains no space; an id may.
pub(crate) fn of_call(id: &str, seal: Seal, own: Dialect) -> String {
    format!("{CALL}{id} {}", seal.for_client(own))
}

/// Reads what was written here, or a seal of the dialect `own`.
pub(crate) fn read(text: String, own: Dialect) -> Option<Sealed> {
    if let Some(seal) = text.strip_prefix(SIGNATURE) {
        return Seal::read(own, seal).map(Sealed::Signature);
    }
    if let Some(seal) = text.strip_prefix(WHOLE) {
        return Seal::read(own, seal).map(Sealed::Whole);
    }
    match text.strip_prefix(CALL).and_then(|call| call.rsplit_once(' ')) {
        Some((id, seal)) => Seal::read(own, seal).map(|seal| Sealed::Call(id.to_owned(), seal)),
        None => Seal::read(own, text).map(Sealed::Own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(by: Dialect) -> Seal {
        Seal { by, text: "c2VhbA==".to_owned() }
    }

    #[test]
    fn a_foreign_seal_comes_back_as_what_it_was() {
        let own = Dialect::OpenaiResponses;
        let foreign = seal(Dialect::Anthropic);
        assert_eq!(read(of_signature(foreign.clone(), own), own), Some(Sealed::Signature(foreign.clone())));
        assert_eq!(read(of_whole(foreign.clone(), own), own), Some(Sealed::Whole(foreign.clone())));
        let call = of_call("an id", foreign.clone(), own);
        assert_eq!(read(call, own), Some(Sealed::Call("an id".to_owned(), foreign)));
    }

    #[test]
    fn a_dialects_own_seal_is_written_and_read_as_its_provider_does() {
        let own = Dialect::Gemini;
        assert_eq!(of_signature(seal(own), own), "c2VhbA==");
        assert_eq!(read("c2VhbA==".to_owned(), own), Some(Sealed::Own(seal(own))));
        assert_eq!(read(String::new(), own), None);
    }
}
