//! Samples of providers in China.

use super::{Class, Nature, Sample};

pub(super) const SAMPLES: &[Sample] = &[
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
];
