//! Samples of prompts that are longer than their model takes, of the servers people run themselves and of clouds that have
//! words of their own for it.

use super::{Class, ErrorKind, Sample};

pub(super) const SAMPLES: &[Sample] = &[
    // <https://github.com/zed-industries/zed/issues/39140>
    (
        "xai, context",
        400,
        r#"{"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 136973 tokens."}"#,
        Class::Client,
        ErrorKind::ContextLength,
    ),
    (
        "sglang, context",
        400,
        r#"{"object":"error","message":"The input (345516 tokens) is longer than the model's context length (262144 tokens).","type":"BadRequestError","param":null,"code":400}"#,
        Class::Client,
        ErrorKind::ContextLength,
    ),
    // <https://github.com/jundot/omlx/issues/3442>
    (
        "omlx, context",
        400,
        r#"{"error":{"message":"Prompt too long: 131787 tokens exceeds max context window of 110900 tokens","type":"invalid_request_error","param":null,"code":null}}"#,
        Class::Client,
        ErrorKind::ContextLength,
    ),
    (
        "bedrock, context",
        400,
        r#"{"message":"Input is too long for requested model."}"#,
        Class::Client,
        ErrorKind::ContextLength,
    ),
    (
        "bedrock, titan, context",
        400,
        r#"{"message":"400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token count: 9000"}"#,
        Class::Client,
        ErrorKind::ContextLength,
    ),
    // <https://github.com/cline/cline/issues/3664>
    (
        "lm studio, context",
        400,
        r#"{"error":"Trying to keep the first 10136 tokens when context the overflows. However, the model is loaded with context length of only 7866 tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input"}"#,
        Class::Client,
        ErrorKind::ContextLength,
    ),
    // <https://github.com/Gitlawb/openclaude/issues/353>
    (
        "lm studio, newer, context",
        400,
        r#"{"error":"The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 13055>= n_ctx: 4096). Try to load the model with a larger context length, or provide a shorter input."}"#,
        Class::Client,
        ErrorKind::ContextLength,
    ),
    (
        "llama.cpp, context",
        400,
        r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"invalid_request_error"}}"#,
        Class::Client,
        ErrorKind::ContextLength,
    ),
    (
        "ollama, context",
        400,
        r#"{"error":"the input length exceeds the context length"}"#,
        Class::Client,
        ErrorKind::ContextLength,
    ),
    (
        "ollama, cloud, context",
        400,
        r#"{"error":{"message":"prompt too long; exceeded max context length by 512 tokens","type":"invalid_request_error"}}"#,
        Class::Client,
        ErrorKind::ContextLength,
    ),
    (
        "vllm, older, context",
        400,
        r#"{"object":"error","message":"The decoder prompt (length 40000) is longer than the maximum model length of 32768. Make sure that `max_model_len` is no smaller than the number of text tokens.","type":"BadRequestError","code":400}"#,
        Class::Client,
        ErrorKind::ContextLength,
    ),
    (
        "tensorrt-llm, context",
        400,
        r#"{"error":{"message":"Prompt length (40000) exceeds maximum input length (32768). Set log level to info and check for input tokens."}}"#,
        Class::Client,
        ErrorKind::ContextLength,
    ),
    (
        "tabbyapi, context",
        400,
        r#"{"detail":"Prompt length 40000 is greater than max_seq_len 32768"}"#,
        Class::Client,
        ErrorKind::ContextLength,
    ),
    (
        "copilot, context",
        400,
        r#"{"error":{"message":"prompt token count of 139120 exceeds the limit of 128000","code":"model_max_prompt_tokens_exceeded"}}"#,
        Class::Client,
        ErrorKind::ContextLength,
    ),
];
