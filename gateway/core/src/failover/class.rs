//! Who an error speaks of: judged by status **and** body, from one table.
//!
//! Not by status alone: the same 400 is the client's mistake, a dead key (Gemini), a blocked country or a model name
//! that only llmio's catalog got wrong; the same 429 is a minute's pause or an empty account. A provider's own `errors`
//! come first, then the rows in their order, then what the status means by itself. Every row has a sample in
//! `class/samples.rs`, taken from what its provider documents.

use super::hint::Hint;
use said::Said;
pub(super) use said::message_of;

mod said;

#[cfg(test)]
mod samples;

/// Who an outcome speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It worked.
    Ok,
    /// This credential: another one may do.
    Credential,
    /// The way out: another credential with another egress may do.
    Egress,
    /// This target: another one may do.
    Target,
    /// Too much for now: another one may do.
    Rate,
    /// The request itself: nobody else will do better.
    Client,
    /// The client is gone, or the host is going.
    Gone,
}

impl Class {
    /// The classes a catalog's `errors` may name.
    pub const NAMED: [Class; 5] = [Self::Credential, Self::Egress, Self::Target, Self::Rate, Self::Client];

    /// What catalogs and records call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Credential => "credential",
            Self::Egress => "egress",
            Self::Target => "target",
            Self::Rate => "rate",
            Self::Client => "client",
            Self::Gone => "gone",
        }
    }
}

/// What an error says beyond its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Nature {
    /// Nothing more.
    #[default]
    Plain,
    /// The account has no money or no allowance left: it will not be better in a minute.
    Spent,
    /// The provider does not know, or no longer serves, the model name llmio's catalog gives it.
    UnknownModel,
    /// A daily or longer quota is spent; a wait that is told is its reset and may be long.
    Quota,
    /// The same, of the account as a whole and not of this model alone.
    AccountQuota,
    /// The prompt is larger than this target's context window; a larger one may do.
    ContextLength,
    /// This request is not served there, for a reason of its own; others may be, and others may serve it.
    Request,
    /// The egress proxy or relay itself is out of order, whoever is to be reached through it.
    Way,
    /// The egress proxy or relay does not get through to this provider; to others it may.
    Tunnel,
}

/// What follows from an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Who it speaks of.
    pub class: Class,
    /// What it says beyond that.
    pub nature: Nature,
    /// How long whom it speaks of rests, where that is known.
    pub rest: Option<Hint>,
}

impl Verdict {
    /// A verdict that says no more than its class.
    pub fn of(class: Class) -> Self {
        Verdict { class, nature: Nature::Plain, rest: None }
    }
}

/// A row a catalog adds: `errors = [{ status = 403, match = "余额不足", is = "credential", rest = "1h" }]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRule {
    /// Only this status; absent: any error status.
    pub status: Option<u16>,
    /// Only bodies that contain this, whatever the case; absent: any body.
    pub text: Option<String>,
    /// Who it speaks of.
    pub class: Class,
    /// How long that one rests.
    pub rest_ms: Option<u64>,
}

/// Judges an error answer to `request`. `hint` is what it says of when to come back, which a rule's own rest overrides.
pub(super) fn judge(status: u16, body: &[u8], rules: &[ErrorRule], hint: Option<Hint>, request: &[u8]) -> Verdict {
    let said = Said::of(body);
    let matches = |rule: &&ErrorRule| {
        rule.status.is_none_or(|wanted| wanted == status)
            && rule.text.as_ref().is_none_or(|wanted| said.whole.contains(&wanted.to_lowercase()))
    };
    if let Some(rule) = rules.iter().find(matches) {
        let rest = rule.rest_ms.map(|wait_ms| Hint { wait_ms, is_reset: true }).or(hint);
        return Verdict { class: rule.class, nature: Nature::Plain, rest };
    }
    let row = TABLE.iter().find_map(|row| Some((row, row.word_in(status, &said)?)));
    let (class, nature) = match row {
        Some((row, word)) if may_be_echo(status, row, word, &said, request) => (Class::Client, Nature::Plain),
        Some((row, _)) => (row.class, row.nature),
        None => by_status(status, &said),
    };
    let spends = matches!(nature, Nature::Quota | Nature::AccountQuota | Nature::Spent);
    // Many send the reset of some window with every answer; it speaks of whoever is over its rate and of nobody else.
    let rest = hint.filter(|hint| class == Class::Rate || spends || !hint.is_reset);
    let rest = rest.map(|hint| Hint { is_reset: hint.is_reset || spends, ..hint });
    Verdict { class, nature, rest }
}

/// Whether a phrase under a status that blames the request may be the client's own words, repeated: then nobody else
/// must suffer for it. Codes are the provider's.
fn may_be_echo(status: u16, row: &Row, word: &str, said: &Said, request: &[u8]) -> bool {
    let blames = matches!(status, 400 | 403 | 404 | 422);
    blames && row.class != Class::Client && !said.codes.contains(word) && is_in(request, word)
}

/// Whatever the case; words outside ASCII as they are.
fn is_in(request: &[u8], word: &str) -> bool {
    let word = word.as_bytes();
    let Some(first) = word.first() else { return true };
    let starts = memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), request);
    starts.into_iter().any(|at| request.get(at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word)))
}

/// What a status means when nothing in the body says more.
fn by_status(status: u16, said: &Said) -> (Class, Nature) {
    // A page and no API error: a proxy or firewall on the way, or a base URL that leads to a web site.
    let is_page = said.whole.trim_start().starts_with('<');
    let class = match status {
        200..=299 => Class::Ok,
        401 | 402 => Class::Credential,
        // Firewalls answer 403 to what a prompt holds. Only one that names a key, a permission or money is about those.
        403 => return (Class::Target, Nature::Request),
        429 | 529 => Class::Rate,
        451 => Class::Egress,
        400 | 404 if is_page => Class::Target,
        // llmio chose address and method, so these are not the client's; 408, 409, 410 and 425 are the provider's state.
        405 | 408 | 409 | 410 | 425 => Class::Target,
        400..=499 => Class::Client,
        // Redirects are never followed: a key must not travel to where a response points.
        _ => Class::Target,
    };
    (class, Nature::Plain)
}

struct Row {
    statuses: &'static [u16],
    /// Any of these, in lower case.
    any: &'static [&'static str],
    class: Class,
    nature: Nature,
}

impl Row {
    /// The word of this row that an error with this status says.
    fn word_in(&self, status: u16, said: &Said) -> Option<&'static str> {
        let is_said = |word: &&&str| said.codes.contains(**word) || said.message.contains(**word);
        self.statuses.contains(&status).then(|| self.any.iter().find(is_said).copied()).flatten()
    }
}

const fn row(statuses: &'static [u16], any: &'static [&'static str], class: Class, nature: Nature) -> Row {
    Row { statuses, any, class, nature }
}

/// The statuses under which some provider says that it does not serve a model.
const MODEL_STATUSES: &[u16] = &[400, 403, 404, 422, 500, 503];

/// The first row that matches decides, so narrow ones stand above wide ones.
const TABLE: &[Row] = &[
    // What is said of this request and no other comes first of all: it may ask for more than is left, or for what only
    // some of a model's providers do.
    row(
        &[402, 404, 429],
        &[
            "can only afford",
            "fewer max_tokens",
            "request too large",
            "no endpoints found that support",
            "no allowed providers are available",
        ],
        Class::Target,
        Nature::Request,
    ),
    // What the prompt itself is refused for comes first: such texts also speak of limits and policies.
    row(
        &[400, 413, 422, 500],
        &[
            "context_length_exceeded",
            "maximum context length",
            "prompt is too long",
            "input token count",
            "exceeds the maximum number of tokens",
            "range of input length should be",
            "exceed_context_size",
            "exceeds the context window",
            "context window exceeds",
            "max_prompt_tokens",
            "输入长度超过",
            "超出模型的最大长度",
        ],
        Class::Client,
        Nature::ContextLength,
    ),
    row(
        &[400, 403, 422],
        &[
            "content_filter",
            "content_policy",
            "content management policy",
            "moderation",
            "flagged",
            "data_inspection_failed",
            "datainspectionfailed",
            "inappropriate content",
            "safety system",
            "content exists risk",
            "敏感",
            "违规",
            "不安全",
        ],
        Class::Client,
        Nature::Plain,
    ),
    row(
        &[400, 403],
        &[
            "user location is not supported",
            "unsupported_country_region_territory",
            "country, region, or territory not supported",
            "not available in your region",
            "not available in your country",
        ],
        Class::Egress,
        Nature::Plain,
    ),
    row(
        &[400, 401, 403],
        &["api_key_invalid", "api key not valid", "api key expired", "api_key_expired", "api_key_service_blocked"],
        Class::Credential,
        Nature::Plain,
    ),
    row(
        &[429],
        &["free-models-per-day", "free model requests per day", "每日调用次数", "\"1304\""],
        Class::Rate,
        Nature::AccountQuota,
    ),
    // Gemini speaks of "your plan and billing details" whenever a minute's quota is used up, and so does DashScope.
    row(
        &[429],
        &["perday", "per day", "per-day", "daily limit", "requests today", "today's quota"],
        Class::Rate,
        Nature::Quota,
    ),
    row(&[429], &["resource_exhausted", "#token-limit"], Class::Rate, Nature::Plain),
    // Money. Some say it under 400 (Anthropic, DashScope) and some under 429 (OpenAI, Zhipu), where waiting is no use.
    row(
        &[400, 402, 403, 429, 500],
        &[
            "insufficient_quota",
            "insufficient_user_quota",
            "insufficient balance",
            "insufficient_balance",
            "insufficient credits",
            "balance is insufficient",
            "credit balance is too low",
            "billing_hard_limit_reached",
            "billing_not_active",
            "arrearage",
            "pre_consume_token_quota_failed",
            "额度不足",
            "余额不足",
            "额度已用尽",
            "欠费",
            "\"1113\"",
        ],
        Class::Credential,
        Nature::Spent,
    ),
    // A model's own free allowance is gone; the account may have others.
    row(
        &[403, 429],
        &["freetieronly", "free tier of the model has been exhausted", "free quota"],
        Class::Rate,
        Nature::Quota,
    ),
    row(&[429], &["usage limit reached"], Class::Rate, Nature::Quota),
    row(
        MODEL_STATUSES,
        &[
            "model_not_found",
            "modelnotfound",
            "no available channel",
            "无可用渠道",
            "model does not exist",
            "model not exist",
            "model_not_exist",
            "is not a valid model id",
            "no endpoints found for",
            "no endpoints found matching",
            "has no provider supported",
            "is not found for api version",
            "not supported for generatecontent",
            "unknown model",
            "invalid model name",
            "model not found",
            "model disabled",
            "model_not_supported",
            "model_decommissioned",
            "模型不存在",
            "\"1211\"",
        ],
        Class::Target,
        Nature::UnknownModel,
    ),
    // Anthropic names the model and nothing else: `{"type":"not_found_error","message":"model: claude-9"}`.
    row(&[404], &["message: model:"], Class::Target, Nature::UnknownModel),
    // Overload said under a status that would blame somebody else.
    row(
        &[400, 403, 500, 503],
        &["rate limit", "rate_limit", "too many requests", "上游负载已饱和", "并发数过高", "throttling"],
        Class::Rate,
        Nature::Plain,
    ),
    row(
        &[403],
        &[
            "api key",
            "api_key",
            "apikey",
            "permission",
            "token",
            "credential",
            "authenticat",
            "billing",
            "account",
            "access denied",
            "令牌",
            "密钥",
            "权限",
            "鉴权",
        ],
        Class::Credential,
        Nature::Plain,
    ),
];
