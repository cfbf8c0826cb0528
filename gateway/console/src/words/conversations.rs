//! Sessions of clients.

super::words! {
    title = "Sessions" | "会话";
    says(zone) = "Calls that belong together, as their clients say. Times are {zone}." | "属于同一会话的调用，以客户端所报为准。时间为 {zone}。";
    calls_list = "Calls" | "调用";
    last = "Last" | "最近";
    session = "Session" | "会话";
    key_and_client = "Key · client" | "密钥 · 客户端";
    models = "Model, answered by" | "模型、应答者";
    calls = "Calls" | "调用";
    failed_over = "Saved by failover" | "故障转移挽回";
    since = "Since" | "开始";
    tokens = "Tokens" | "Token";
    cached = "Cached" | "缓存";
    cost = "Cost" | "费用";
    none = "No call names a session" | "没有调用带会话标识";
    none_says = "Agents such as Claude Code name theirs by themselves; others may send the header x-session-id." | "Claude Code 等客户端会自动带上会话标识；其他客户端可以发送 x-session-id 请求头。";
    looked_at(count, time) = "Of the latest {count} calls, back to {time}." | "取自最近 {count} 次调用，直到 {time}。";
}
