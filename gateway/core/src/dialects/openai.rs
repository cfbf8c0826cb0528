//! What OpenAI's two dialects write alike: errors, functions and who the user is.

pub(super) mod error;
pub(super) mod usage;

use sha2::{Digest, Sha256};

use crate::neutral::schema;
use crate::neutral::{Object, Tool, Warnings};

/// The characters OpenAI takes to say who the user is:
/// <https://platform.openai.com/docs/guides/safety-best-practices#safety-identifiers>.
const USER_BYTES_MAX: usize = 64;

/// Who the user is, in both of OpenAI's dialects. Claude Code says it in more characters than OpenAI takes, and the hash
/// that OpenAI recommends anyway tells users apart as well.
pub(crate) fn write_user(user: String, warnings: &mut Warnings) -> String {
    if user.len() <= USER_BYTES_MAX {
        return user;
    }
    warnings.changed("user, which is too long, to its hash");
    Sha256::digest(user.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A function in both of OpenAI's dialects. A schema that OpenAI does not take as strict is not marked as such: in other
/// dialects one with optional properties may be.
pub(crate) fn write_function(tool: Tool, warnings: &mut Warnings) -> Object {
    let mut parameters = tool.parameters.unwrap_or_default();
    schema::complete_parameters(&mut parameters);
    let strict = tool.strict.map(|strict| strict && schema::is_strict(&parameters));
    if strict != tool.strict {
        warnings.changed("a tool that OpenAI does not take as strict to one that is not");
    }
    let mut function = Object::new();
    function.insert("name".to_owned(), tool.name.into());
    function.extend(tool.description.map(|text| ("description".to_owned(), text.into())));
    function.insert("parameters".to_owned(), parameters);
    function.extend(strict.map(|strict| ("strict".to_owned(), strict.into())));
    function
}
