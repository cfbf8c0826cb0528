//! A sample for every row of the table: error bodies in the shapes their providers document or are known to send.

use super::*;

/// Provider and what happened, status, body, class, nature.
type Sample = (&'static str, u16, &'static str, Class, Nature);

const SAMPLES: &[Sample] = &[
    // OpenAI: https://platform.openai.com/docs/guides/error-codes
    (
        "openai, wrong key",
        401,
        r#"{"error":{"message":"Incorrect API key provided: sk-ab***yz.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
        Class::Credential,
        Nature::Plain,
    ),
    (
        "openai, country",
        403,
        r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","param":null,"type":"request_forbidden"}}"#,
        Class::Egress,
        Nature::Plain,
    ),
    (
        "openai, rate",
        429,
        r#"{"error":{"message":"Rate limit reached for gpt-5 in organization org-x on requests per min (RPM): Limit 3, Used 3.","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
        Class::Rate,
        Nature::Plain,
    ),
    (
        "openai, per day",
        429,
        r#"{"error":{"message":"Rate limit reached for gpt-5 on requests per day (RPD): Limit 200, Used 200.","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
        Class::Rate,
        Nature::Quota,
    ),
    (
        "openai, no money",
        429,
        r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        Class::Credential,
        Nature::Spent,
    ),
    (
        "openai, model",
        404,
        r#"{"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    (
        "openai, context",
        400,
        r#"{"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 200012 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
        Class::Client,
        Nature::ContextLength,
    ),
    (
        "openai, parameter",
        400,
        r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}"#,
        Class::Client,
        Nature::Plain,
    ),
    (
        "openai, broken",
        500,
        r#"{"error":{"message":"The server had an error while processing your request. Sorry about that!","type":"server_error","param":null,"code":null}}"#,
        Class::Target,
        Nature::Plain,
    ),
    (
        "azure, content",
        400,
        r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400}}"#,
        Class::Client,
        Nature::Plain,
    ),
    // Anthropic: https://docs.anthropic.com/en/api/errors
    (
        "anthropic, wrong key",
        401,
        r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
        Class::Credential,
        Nature::Plain,
    ),
    (
        "anthropic, no money",
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}"#,
        Class::Credential,
        Nature::Spent,
    ),
    (
        "anthropic, model",
        404,
        r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    (
        "anthropic, rate",
        429,
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 50 requests per minute."}}"#,
        Class::Rate,
        Nature::Plain,
    ),
    (
        "anthropic, overloaded",
        529,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        Class::Rate,
        Nature::Plain,
    ),
    (
        "anthropic, context",
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 300000 tokens > 200000 maximum"}}"#,
        Class::Client,
        Nature::ContextLength,
    ),
    (
        "anthropic, size",
        413,
        r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
        Class::Client,
        Nature::Plain,
    ),
    (
        "anthropic, permission",
        403,
        r#"{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission to use the specified resource."}}"#,
        Class::Credential,
        Nature::Plain,
    ),
    // Gemini: https://ai.google.dev/gemini-api/docs/troubleshooting
    (
        "gemini, wrong key",
        400,
        r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}"#,
        Class::Credential,
        Nature::Plain,
    ),
    (
        "gemini, expired key",
        400,
        r#"[{"error":{"code":400,"message":"API key expired. Please renew the API key.","status":"INVALID_ARGUMENT"}}]"#,
        Class::Credential,
        Nature::Plain,
    ),
    (
        "gemini, location",
        400,
        r#"{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}"#,
        Class::Egress,
        Nature::Plain,
    ),
    (
        "gemini, minute",
        429,
        r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]}]}}"#,
        Class::Rate,
        Nature::Plain,
    ),
    (
        "gemini, day",
        429,
        r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]}}"#,
        Class::Rate,
        Nature::Quota,
    ),
    (
        "gemini, model",
        404,
        r#"{"error":{"code":404,"message":"models/gemini-9 is not found for API version v1beta, or is not supported for generateContent.","status":"NOT_FOUND"}}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    (
        "gemini, overloaded",
        503,
        r#"{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}"#,
        Class::Target,
        Nature::Plain,
    ),
    (
        "gemini, context",
        400,
        r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
        Class::Client,
        Nature::ContextLength,
    ),
    // OpenRouter: https://openrouter.ai/docs/api-reference/errors
    (
        "openrouter, no money",
        402,
        r#"{"error":{"code":402,"message":"Insufficient credits. Add more using https://openrouter.ai/settings/credits"}}"#,
        Class::Credential,
        Nature::Spent,
    ),
    (
        "openrouter, free models of the day",
        429,
        r#"{"error":{"message":"Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day","code":429}}"#,
        Class::Rate,
        Nature::AccountQuota,
    ),
    (
        "openrouter, upstream",
        429,
        r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"qwen/qwen3-coder:free is temporarily rate-limited upstream. Please retry shortly."}}}"#,
        Class::Rate,
        Nature::Plain,
    ),
    (
        "openrouter, no endpoint",
        404,
        r#"{"error":{"message":"No endpoints found for qwen/qwen9.","code":404}}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    (
        "openrouter, not a model",
        400,
        r#"{"error":{"message":"qwen9 is not a valid model ID","code":400}}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    (
        "openrouter, moderation",
        403,
        r#"{"error":{"code":403,"message":"openai/gpt-5 requires moderation on OpenInference. Your input was flagged for \"violence\"."}}"#,
        Class::Client,
        Nature::Plain,
    ),
    (
        "openrouter, upstream down",
        502,
        r#"{"error":{"message":"Provider returned error","code":502}}"#,
        Class::Target,
        Nature::Plain,
    ),
    (
        "openrouter, a feature nobody has",
        404,
        r#"{"error":{"message":"No endpoints found that support tool use.","code":404}}"#,
        Class::Target,
        Nature::Request,
    ),
    (
        "openrouter, more than is left",
        402,
        r#"{"error":{"message":"This request requires more credits, or fewer max_tokens. You can only afford 1000.","code":402}}"#,
        Class::Target,
        Nature::Request,
    ),
    (
        "openai, more than a minute's tokens",
        429,
        r#"{"error":{"message":"Request too large for gpt-5 on tokens per min (TPM): Limit 30000, Requested 80000.","type":"tokens","code":"rate_limit_exceeded"}}"#,
        Class::Target,
        Nature::Request,
    ),
    // ModelScope: https://modelscope.cn/docs/model-service/API-Inference/intro
    (
        "modelscope, wrong key",
        401,
        r#"{"errors":{"message":"Authentication failed, please make sure that a valid ModelScope token is supplied."}}"#,
        Class::Credential,
        Nature::Plain,
    ),
    (
        "modelscope, model",
        400,
        r#"{"errors":{"message":"Model id: Qwen/Qwen9, has no provider supported"}}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    (
        "modelscope, day",
        429,
        r#"{"errors":{"message":"We have to rate limit you, today's quota is used up"}}"#,
        Class::Rate,
        Nature::Quota,
    ),
    // DashScope: https://help.aliyun.com/zh/model-studio/error-code
    (
        "dashscope, arrears",
        400,
        r#"{"error":{"code":"Arrearage","message":"Access denied, please make sure your account is in good standing.","type":"Arrearage"}}"#,
        Class::Credential,
        Nature::Spent,
    ),
    (
        "dashscope, free tier",
        403,
        r#"{"error":{"code":"AllocationQuota.FreeTierOnly","message":"The free tier of the model has been exhausted."}}"#,
        Class::Rate,
        Nature::Quota,
    ),
    (
        "dashscope, tokens a minute",
        429,
        r#"{"error":{"code":"insufficient_quota","message":"You exceeded your current quota, please check your plan and billing details. For details, see: https://help.aliyun.com/zh/model-studio/error-code#token-limit","type":"insufficient_quota"}}"#,
        Class::Rate,
        Nature::Plain,
    ),
    (
        "dashscope, content",
        400,
        r#"{"error":{"code":"data_inspection_failed","message":"Input data may contain inappropriate content."}}"#,
        Class::Client,
        Nature::Plain,
    ),
    (
        "dashscope, length",
        400,
        r#"{"error":{"code":"invalid_parameter_error","message":"<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]"}}"#,
        Class::Client,
        Nature::ContextLength,
    ),
    // DeepSeek: https://api-docs.deepseek.com/quick_start/error_codes
    (
        "deepseek, no money",
        402,
        r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
        Class::Credential,
        Nature::Spent,
    ),
    (
        "deepseek, model",
        400,
        r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    (
        "deepseek, content",
        400,
        r#"{"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#,
        Class::Client,
        Nature::Plain,
    ),
    (
        "deepseek, parameter",
        422,
        r#"{"error":{"message":"Failed to deserialize the JSON body into the target type: missing field `messages`","type":"invalid_request_error"}}"#,
        Class::Client,
        Nature::Plain,
    ),
    // SiliconFlow: https://docs.siliconflow.cn/cn/faqs/error-code
    (
        "siliconflow, no money",
        403,
        r#"{"code":30001,"message":"Sorry, your account balance is insufficient","data":null}"#,
        Class::Credential,
        Nature::Spent,
    ),
    (
        "siliconflow, model",
        400,
        r#"{"code":20012,"message":"Model does not exist. Please check it carefully.","data":null}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    (
        "siliconflow, model off",
        403,
        r#"{"code":30003,"message":"Model disabled.","data":null}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    (
        "siliconflow, rate",
        429,
        r#"{"message":"Request was rejected due to rate limiting. Details:TPM limit reached.","data":null}"#,
        Class::Rate,
        Nature::Plain,
    ),
    (
        "siliconflow, overloaded",
        503,
        r#"{"code":50505,"message":"Model service overloaded. Please try again later.","data":null}"#,
        Class::Target,
        Nature::Plain,
    ),
    // Zhipu: https://docs.bigmodel.cn/cn/api/api-code
    (
        "zhipu, arrears",
        429,
        r#"{"error":{"code":"1113","message":"您的账户已欠费，请充值后重试。"}}"#,
        Class::Credential,
        Nature::Spent,
    ),
    (
        "zhipu, concurrency",
        429,
        r#"{"error":{"code":"1302","message":"您当前使用该API的并发数过高，请降低并发，或联系客服增加限额。"}}"#,
        Class::Rate,
        Nature::Plain,
    ),
    (
        "zhipu, day",
        429,
        r#"{"error":{"code":"1304","message":"该API已达今日调用次数限额"}}"#,
        Class::Rate,
        Nature::AccountQuota,
    ),
    (
        "zhipu, plan",
        429,
        r#"{"error":{"code":"1308","message":"Usage limit reached for 5 hour. Your limit will reset at 2026-11-24 20:00:00"}}"#,
        Class::Rate,
        Nature::Quota,
    ),
    (
        "zhipu, content",
        400,
        r#"{"error":{"code":"1301","message":"系统检测到输入或生成内容可能包含不安全或敏感内容，请您避免输入易产生敏感内容的提示语。"}}"#,
        Class::Client,
        Nature::Plain,
    ),
    (
        "zhipu, model",
        400,
        r#"{"error":{"code":"1211","message":"模型不存在，请检查模型代码。"}}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    // new-api and one-api relays: https://github.com/QuantumNous/new-api
    (
        "new-api, no channel",
        503,
        r#"{"error":{"message":"当前分组 default 下对于模型 gpt-9 无可用渠道 (request id: 2026)","type":"new_api_error","param":"","code":"model_not_found"}}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    (
        "new-api, spent",
        403,
        r#"{"error":{"message":"用户额度不足, 剩余额度: ＄0.000000","type":"new_api_error","code":"insufficient_user_quota"}}"#,
        Class::Credential,
        Nature::Spent,
    ),
    (
        "new-api, wrong key",
        401,
        r#"{"error":{"message":"无效的令牌 (request id: 2026)","type":"new_api_error"}}"#,
        Class::Credential,
        Nature::Plain,
    ),
    (
        "new-api, saturated",
        500,
        r#"{"error":{"message":"当前分组上游负载已饱和，请稍后再试","type":"new_api_error"}}"#,
        Class::Rate,
        Nature::Plain,
    ),
    // Whoever stands in between.
    (
        "cloudflare, block page",
        403,
        "<!DOCTYPE html><title>Attention Required! | Cloudflare</title>",
        Class::Target,
        Nature::Request,
    ),
    (
        "nginx, wrong base URL",
        404,
        "<html><head><title>404 Not Found</title></head></html>",
        Class::Target,
        Nature::Plain,
    ),
    ("nothing said", 403, "", Class::Target, Nature::Request),
    ("a firewall", 403, "error code: 1020", Class::Target, Nature::Request),
    ("nothing said", 404, "{}", Class::Client, Nature::Plain),
    ("nothing said", 405, "{}", Class::Target, Nature::Plain),
    ("a redirect", 302, "", Class::Target, Nature::Plain),
    ("legal reasons", 451, "", Class::Egress, Nature::Plain),
];

#[test]
fn each_sample_is_judged_by_what_its_provider_means() {
    for (what, status, body, class, nature) in SAMPLES {
        let verdict = judge(*status, body.as_bytes(), &[], None, b"{}");
        assert_eq!((verdict.class, verdict.nature), (*class, *nature), "{what}: {status} {body}");
    }
}

#[test]
fn every_row_has_a_sample_that_it_decides() {
    for (index, row) in TABLE.iter().enumerate() {
        let decides = |(_, status, body, ..): &&Sample| {
            let said = Said::of(body.as_bytes());
            TABLE.iter().position(|row| row.word_in(*status, &said).is_some()) == Some(index)
        };
        assert!(SAMPLES.iter().any(|sample| decides(&sample)), "row {index} ({:?}) has none", row.any);
    }
}

#[test]
fn words_are_written_as_they_are_searched_for() {
    for word in TABLE.iter().flat_map(|row| row.any) {
        assert_eq!(*word, word.to_lowercase());
    }
}

#[test]
fn a_catalogs_own_rows_come_first_and_say_how_long() {
    let rule = |status, text: Option<&str>, class, rest_ms| ErrorRule {
        status,
        text: text.map(str::to_owned),
        class,
        rest_ms,
    };
    let rules = [
        rule(Some(403), Some("余额不足"), Class::Credential, Some(3_600_000)),
        rule(None, Some("Try Later"), Class::Rate, None),
        rule(Some(418), None, Class::Target, None),
    ];
    let told = Some(Hint { wait_ms: 9, is_reset: false });
    let judged = |status, body: &str| judge(status, body.as_bytes(), &rules, told, b"{}");
    let hour = Some(Hint { wait_ms: 3_600_000, is_reset: true });
    assert_eq!(judged(403, "账户余额不足"), Verdict { class: Class::Credential, nature: Nature::Plain, rest: hour });
    assert_eq!((judged(400, "please TRY LATER").class, judged(400, "please TRY LATER").rest), (Class::Rate, told));
    assert_eq!(judged(418, "").class, Class::Target);
    assert_eq!(judged(400, "other").class, Class::Client);
}

#[test]
fn what_a_client_wrote_benches_nobody_when_its_provider_repeats_it() {
    let invalid = |text: &str| {
        format!(
            r#"{{"error":{{"message":"Invalid value: '{text}'. Supported values are: 'user'.","code":"invalid_value"}}}}"#
        )
    };
    for text in
        ["insufficient balance", "model not found", "api key not valid", "rate limit", "user location is not supported"]
    {
        let request = format!(r#"{{"messages":[{{"role":"{text}"}}]}}"#);
        let class = |status, body: &str| judge(status, body.as_bytes(), &[], None, request.as_bytes()).class;
        assert_eq!(class(400, &invalid(text)), Class::Client, "quoted: {text}");
        assert_eq!(
            class(400, &format!(r#"{{"error":{{"message":"unknown role {text}"}}}}"#)),
            Class::Client,
            "bare: {text}"
        );
        assert_eq!(class(422, &format!(r#"{{"detail":[{{"input":"{text}"}}]}}"#)), Class::Client, "whole: {text}");
    }
    let code = br#"{"error":{"code":"insufficient_user_quota","message":"no money"}}"#;
    assert_eq!(
        judge(403, code, &[], None, b"insufficient_user_quota").class,
        Class::Credential,
        "a code is the provider's"
    );
}

#[test]
fn the_reset_of_some_window_is_no_wait_for_a_provider_that_is_down() {
    let reset = Some(Hint { wait_ms: 3_600_000, is_reset: true });
    assert_eq!(judge(500, b"{}", &[], reset, b"").rest, None);
    assert_eq!(judge(401, b"{}", &[], reset, b"").rest, None);
    assert_eq!(judge(429, b"{}", &[], reset, b"").rest, reset);
}

#[test]
fn a_spent_quota_makes_any_wait_a_reset() {
    let told = Some(Hint { wait_ms: 40_000_000, is_reset: false });
    let rest = |body: &str| judge(429, body.as_bytes(), &[], told, b"{}").rest.map(|hint| hint.is_reset);
    assert_eq!(rest("Rate limit reached on requests per day"), Some(true));
    assert_eq!(rest("Rate limit reached on requests per min"), Some(false));
}
