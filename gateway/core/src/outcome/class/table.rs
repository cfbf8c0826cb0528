//! The table of provider errors, by status and words. The first row that matches decides, so narrow rows stand above
//! wide ones. Every row has a sample in `samples`.

use crate::outcome::error_text::ErrorText;
use crate::scan::unescaped;
use crate::verdict::{Class, ErrorKind};

pub(super) struct Row {
    statuses: &'static [u16],
    /// Any of these words, in lower case. A word in quotation marks is a whole code.
    pub(super) any: &'static [&'static str],
    pub(super) class: Class,
    pub(super) kind: ErrorKind,
}

impl Row {
    /// Whether this row matches an error with this status, which answers `request`.
    pub(super) fn matches(&self, status: u16, text: &ErrorText, request: &[u8]) -> bool {
        let may_repeat = self.class != Class::Client && blames_request(status);
        let is_own = |word: &str| !may_repeat || !is_in(request, word);
        let is_found = |word: &&str| text.codes.contains(*word) || text.message.contains(*word) && is_own(word);
        self.statuses.contains(&status) && self.any.iter().any(is_found)
    }
}

/// With these statuses a message may repeat what the client wrote, which must not be held against anybody else. Codes
/// are always the provider's own. So are the words about access under 401, 402 and 403 (key, token, account), which
/// stand in the prompt of every coding agent.
fn blames_request(status: u16) -> bool {
    matches!(status, 400 | 404 | 422)
}

/// Ignores the case of ASCII letters.
fn is_in(request: &[u8], word: &str) -> bool {
    let request = unescaped(request);
    let word = word.as_bytes();
    let Some(first) = word.first() else { return true };
    let starts = memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), &request);
    starts.into_iter().any(|at| request.get(at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word)))
}

const fn row(statuses: &'static [u16], any: &'static [&'static str], class: Class, kind: ErrorKind) -> Row {
    Row { statuses, any, class, kind }
}

/// The statuses under which some provider says that it does not serve a model.
const MODEL_STATUSES: &[u16] = &[400, 403, 404, 422, 500, 503];

/// The rows in their order.
pub(super) const TABLE: &[Row] = &[
    // Errors about this one request come first: it may ask for more than is left, or for something that only some
    // providers of the model support.
    row(
        &[402, 404, 413, 429],
        &[
            "can only afford",
            "fewer max_tokens",
            "request too large",
            "required for long context",
            "no endpoints found that support",
            "no allowed providers are available",
        ],
        Class::Target,
        ErrorKind::Request,
    ),
    // Another llmio that its operator has to mend. Other providers of ours may serve the call.
    row(&[400], &["\"no_usable_provider\""], Class::Target, ErrorKind::Plain),
    // Refusals of the prompt itself come next, since their texts also mention limits and policies.
    row(
        &[400, 413, 422, 500],
        &[
            "context_length_exceeded",
            "maximum context length",
            "prompt is too long",
            "prompt too long",
            "input is too long",
            "too many input tokens",
            "maximum prompt length",
            "than the model's context length",
            "than the maximum model length",
            "than the context length",
            "loaded with context length of only",
            "exceeds the available context size",
            "exceeds the context length",
            "exceeds maximum input length",
            "greater than max_seq_len",
            "prompt token count of",
            "input token count",
            "exceeds the maximum number of tokens",
            "range of input length should be",
            "exceed_context_size",
            "exceeds the context window",
            "context window exceeds",
            "max_prompt_tokens",
            "exceed context limit",
            "exceeded model token limit",
            "must be less than max_seq_len",
            "tokens + must be <=",
            "tokens_limit_reached",
            "\"1261\"",
            "输入长度超过",
            "超出模型的最大长度",
        ],
        Class::Client,
        ErrorKind::ContextLength,
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
        ErrorKind::Plain,
    ),
    // Gemini, about a file or cache that the client names and that belongs to another project or is gone. It says
    // nothing about the key.
    row(&[403], &["access the file", "cachedcontent not found"], Class::Client, ErrorKind::Plain),
    // A key of the free tier is refused there; another one of the same provider, which is paid for, is not.
    row(&[400, 403], &["free tier is not available"], Class::Credential, ErrorKind::Plain),
    row(
        &[400, 403],
        &[
            "user location is not supported",
            "unsupported_country_region_territory",
            "country, region, or territory not supported",
            "not available in your region",
            "not available in your country",
            // Anthropic to addresses it does not serve: `{"type":"forbidden","message":"Request not allowed"}`.
            "message: request not allowed",
            // Cloudflare, where its customer does not serve a country.
            "error code: 1009",
        ],
        Class::Egress,
        ErrorKind::Plain,
    ),
    row(
        &[400, 401, 403],
        &[
            "api_key_invalid",
            "api key not valid",
            "api key expired",
            "api_key_expired",
            "api_key_service_blocked",
            "incorrect api key",
            "organization has been disabled",
            "organization_restricted",
        ],
        Class::Credential,
        ErrorKind::Plain,
    ),
    // Zhipu: inactive, unknown, locked, locked for a breach of its rules, and used in a way its plan is not for.
    row(
        &[400, 401, 403, 429],
        &["\"1110\"", "\"1111\"", "\"1112\"", "\"1121\"", "\"1313\""],
        Class::Credential,
        ErrorKind::Plain,
    ),
    // OpenRouter counts all models whose names end in `:free` together, per minute and per day.
    row(&[429], &["free-models-per-", "free model requests per day"], Class::Rate, ErrorKind::FreeQuota),
    row(&[429], &["每日调用次数", "\"1304\""], Class::Rate, ErrorKind::AccountQuota),
    // Gemini sends this with the status of a rate limit.
    row(&[429], &["credits are depleted"], Class::Credential, ErrorKind::Spent),
    // Gemini speaks of "your plan and billing details" whenever a minute's quota is used up, and so does DashScope.
    row(
        &[429],
        &[
            "perday",
            "per day",
            "per-day",
            "daily limit",
            "requests today",
            "today's quota",
            "rpd limit",
            "tpd limit",
            "bymodelbyday",
            "per 86400s",
        ],
        Class::Rate,
        ErrorKind::Quota,
    ),
    row(
        &[429],
        &["resource_exhausted", "#token-limit", "help.aliyun.com", "alibabacloud.com/help"],
        Class::Rate,
        ErrorKind::Plain,
    ),
    // Money. Some providers use 400 (Anthropic, DashScope) and some 429 (OpenAI, Zhipu), for which waiting does not
    // help.
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
            "exceeded_current_quota_error",
            "insufficient quota",
            "key limit exceeded",
            "reached your specified api usage limits",
            "reached your usage limit",
            "used all available credits",
            "额度不足",
            "余额不足",
            "额度已用尽",
            "欠费",
            "\"1113\"",
            "\"1309\"",
        ],
        Class::Credential,
        ErrorKind::Spent,
    ),
    // The free quota of this model is used up; other models of the account may have some left.
    row(
        &[403, 429],
        &["freetieronly", "free tier of the model has been exhausted", "free quota"],
        Class::Rate,
        ErrorKind::Quota,
    ),
    // The hours or the week of a plan, which all its models share: Zhipu, Codex and Ollama's cloud.
    row(
        &[429],
        &[
            "usage limit reached",
            "usage_limit_reached",
            "session usage limit",
            "hourly usage limit",
            "weekly usage limit",
            "limit will reset at",
            "您的限额将在",
            "\"1308\"",
            "\"1310\"",
        ],
        Class::Rate,
        ErrorKind::AccountQuota,
    ),
    // These rows stand above those for models that do not exist, since some providers report missing access in the same
    // words (OpenAI, for a project).
    row(
        &[400, 401, 403, 404, 429],
        &[
            "no access to model",
            "does not have access to model",
            "have access to the model",
            "无权访问模型",
            "无权使用模型",
            "model_access_denied",
            "model_not_allowed",
            "model.accessdenied",
            "accessdenied.unpurchased",
            "access to model denied",
            "model_permission_blocked",
            "model_terms_required",
            "modelnotopen",
            "\"1311\"",
        ],
        Class::Credential,
        ErrorKind::ModelDenied,
    ),
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
            "model_not_available",
            "unknown_model",
            "\"invalid_model\"",
            "model is not supported when using",
            "model identifier is invalid",
            "no models loaded",
            "model_price_error",
            "模型不存在",
            "\"1211\"",
        ],
        Class::Target,
        ErrorKind::UnknownModel,
    ),
    row(
        &[404],
        &[
            // Anthropic names the model and nothing else: `{"type":"not_found_error","message":"model: claude-9"}`.
            "message: model:",
            "does not exist or you",
            "not found the model",
            "unable to access model",
            "no longer available",
            "model was removed on",
            "publisher model",
            "deploymentnotfound",
            "invalidendpointormodel",
            "no endpoints available",
            "not found for account",
        ],
        Class::Target,
        ErrorKind::UnknownModel,
    ),
    // OpenAI about an unknown path: the provider's base_url is wrong.
    row(&[404], &["invalid url ("], Class::Target, ErrorKind::Plain),
    // Overload with a status that would blame somebody else.
    row(
        &[400, 403, 500, 503],
        &["rate limit", "rate_limit", "too many requests", "上游负载已饱和", "并发数过高", "throttling"],
        Class::Rate,
        ErrorKind::Plain,
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
            "accessdenied",
            "has been disabled",
            "has been banned",
            "令牌",
            "密钥",
            "权限",
            "鉴权",
            "无权访问",
            "已被封禁",
            "已被禁用",
            "已被弃用",
        ],
        Class::Credential,
        ErrorKind::Plain,
    ),
];
