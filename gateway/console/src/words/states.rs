//! How calls end, and why targets were left out.

super::words! {
    running = "running" | "进行中";
    ok = "ok" | "成功";
    client_error = "client error" | "客户端错误";
    client_closed = "client left" | "客户端离开";
    client_stalled = "client stalled" | "客户端停滞";
    upstream_connect = "no connection" | "无法连接";
    tls_error = "TLS failed" | "TLS 失败";
    first_byte_timeout = "no answer in time" | "超时未应答";
    idle_timeout = "fell silent" | "中途无响应";
    total_timeout = "took too long" | "总时间用尽";
    upstream_reset = "connection broke" | "连接中断";
    upstream_truncated = "answer cut short" | "响应不完整";
    upstream_error = "provider’s error" | "提供商错误";
    upstream_auth = "credentials refused" | "凭据被拒";
    rate_limited_upstream = "rate limited" | "上游限速";
    no_target = "no target" | "没有可用目标";
    quota_spent = "quota spent" | "额度已用尽";
    rejected = "rejected" | "被拒绝";
    untranslatable = "not translatable" | "无法转换";
    guest_trap = "llmio crashed" | "llmio 崩溃";
    drained = "cut by shutdown" | "因关闭而中断";
    interrupted = "interrupted" | "中断";

    target_disabled = "It is switched off." | "目标已停用。";
    provider_disabled = "Its provider is switched off." | "提供商已停用。";
    dialect = "Its provider does not speak the call’s dialect." | "提供商不支持这种接口。";
    no_credential = "None of its credentials can be used." | "没有可用的凭据。";
    capability = "It lacks something the call needs." | "缺少这次调用需要的能力。";
    context = "Its context window is too small for the prompt." | "上下文长度不够。";
    tag = "The key avoids its provider." | "密钥避开这个提供商。";
    egress_unsupported = "It is reached through a proxy, which this host cannot use." | "需经代理访问，此主机不支持。";
    egress_resting = "The way out to it rests." | "出口休息中。";
    unreachable = "There is no connection to its host." | "无法连接到它的主机。";
    credentials_resting = "All its credentials rest." | "全部凭据休息中。";
    cooling = "It cools: it was over its rate limit." | "冷却中：上游限速。";
    open = "It rests: it has failed too often of late." | "休息中：近来失败太多。";
    unknown_model = "Its provider does not know the model." | "提供商不认识这个模型。";
    probing = "One call tries whether it works again." | "正由一次调用试探是否恢复。";
    quota = "A quota is spent." | "额度已用尽。";
    other_maker = "The call goes on from a response that another one made." | "这次调用接续别处生成的响应。";
    untranslatable_target = "The request cannot be expressed in its dialect." | "请求无法转换成它的接口。";
    without_safeguards = "It does not review tool calls, which the client asked for." | "不提供客户端要求的工具调用审查。";
    unpriced = "Its price is not known, and the key has a budget." | "价格未知，而密钥有预算。";
}
