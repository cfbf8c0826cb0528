//! Names of the account of a credential, which providers write into errors. They would tell a caller whose key is used,
//! and that two gateways share it.

/// What such names begin with, and how many letters and digits follow at least. `org-`:
/// <https://platform.openai.com/docs/guides/rate-limits>; `org_`: Groq; `proj_`: projects of OpenAI; `acct_`: billing.
const NAMES: [(&[u8], usize); 4] = [(b"org-", 12), (b"org_", 12), (b"proj_", 12), (b"acct_", 12)];

const HIDDEN: &[u8] = b"(account)";

/// Removes the names of accounts from a text.
pub fn hide_accounts(text: &mut Vec<u8>) {
    let mut at = 0;
    while let Some((start, end)) = next(text, at) {
        text.splice(start..end, HIDDEN.iter().copied());
        at = start + HIDDEN.len();
    }
}

fn next(text: &[u8], from: usize) -> Option<(usize, usize)> {
    (from..text.len()).find_map(|start| {
        let rest = text.get(start..)?;
        let is_word = start.checked_sub(1).and_then(|before| text.get(before)).is_some_and(u8::is_ascii_alphanumeric);
        let (prefix, least) = NAMES.iter().find(|(prefix, _)| rest.starts_with(prefix))?;
        let length = rest.get(prefix.len()..)?.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        (!is_word && length >= *least).then_some((start, start + prefix.len() + length))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_accounts_leave_a_text_and_words_like_them_stay() {
        for (text, hidden) in [
            ("limit in organization org-AbC123def456GHI on tokens", "limit in organization (account) on tokens"),
            ("org_01hx2y3z4a5b6c7d8e9f, proj_abcdefghijkl0123", "(account), (account)"),
            ("org-wide limits of cyborg-0123456789abc", "org-wide limits of cyborg-0123456789abc"),
            ("", ""),
        ] {
            let mut bytes = text.as_bytes().to_vec();
            hide_accounts(&mut bytes);
            assert_eq!(String::from_utf8_lossy(&bytes), hidden);
        }
    }
}
