//! Samples of relays, of servers people run themselves, and of whoever stands in between.

use super::{Class, Nature, Sample};

pub(super) const SAMPLES: &[Sample] = &[
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
        "new-api, banned",
        403,
        r#"{"error":{"message":"用户已被封禁 (request id: 2026)","type":"new_api_error"}}"#,
        Class::Credential,
        Nature::Plain,
    ),
    (
        "new-api, group gone",
        403,
        r#"{"error":{"message":"分组 vip 已被弃用 (request id: 2026)","type":"new_api_error"}}"#,
        Class::Credential,
        Nature::Plain,
    ),
    (
        "new-api, group not open",
        403,
        r#"{"error":{"message":"无权访问 vip 分组","type":"new_api_error"}}"#,
        Class::Credential,
        Nature::Plain,
    ),
    (
        "new-api, disabled",
        403,
        r#"{"error":{"message":"This user has been disabled","type":"new_api_error"}}"#,
        Class::Credential,
        Nature::Plain,
    ),
    (
        "new-api, no price",
        400,
        r#"{"error":{"message":"模型 gpt-9 倍率或价格未配置，请联系管理员设置或开始自用模式；Model gpt-9 ratio or price not set, please set or start self-use mode","type":"new_api_error","code":"model_price_error"}}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    (
        "new-api, saturated",
        500,
        r#"{"error":{"message":"当前分组上游负载已饱和，请稍后再试","type":"new_api_error"}}"#,
        Class::Rate,
        Nature::Plain,
    ),
    // Servers people run themselves.
    (
        "ollama, model",
        404,
        r#"{"error":{"message":"model \"qwen9\" not found, try pulling it first","type":"api_error","param":null,"code":null}}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    (
        "vllm, model",
        404,
        r#"{"object":"error","message":"The model `qwen9` does not exist.","type":"NotFoundError","param":null,"code":404}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    (
        "vllm, model in newer versions",
        404,
        r#"{"error":{"message":"The model `qwen9` does not exist.","type":"NotFoundError","param":null,"code":404}}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    (
        "lm studio, nothing loaded",
        404,
        r#"{"error":{"message":"No models loaded. Please load a model in the developer page or use the `lms load` command.","type":"invalid_request_error"}}"#,
        Class::Target,
        Nature::UnknownModel,
    ),
    ("fastapi, path", 404, r#"{"detail":"Not Found"}"#, Class::Target, Nature::Request),
    // Whoever stands in between.
    (
        "cloudflare, block page",
        403,
        "<!DOCTYPE html><title>Attention Required! | Cloudflare</title>",
        Class::Target,
        Nature::Request,
    ),
    (
        "akamai, block page",
        403,
        "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY>You don't have permission to access this account.</BODY></HTML>",
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
    ("nothing said", 404, "{}", Class::Target, Nature::Request),
    ("nothing said", 405, "{}", Class::Target, Nature::Plain),
    ("a redirect", 302, "", Class::Target, Nature::Plain),
    ("legal reasons", 451, "", Class::Egress, Nature::Plain),
];
