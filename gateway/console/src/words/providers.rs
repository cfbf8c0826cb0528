//! Providers, and one of them.

super::words! {
    title = "Providers" | "提供商";
    says = "Who can answer: each credential, and what keeps it from that." | "谁能应答：每个凭据，以及什么让它不可用。";
    provider = "Provider" | "提供商";
    credential = "Credential" | "凭据";
    state = "State" | "状态";
    why = "Why" | "原因";
    no_credential = "called without a credential" | "无需凭据";
    serves = "Serves" | "服务于";
    none = "There are no providers" | "还没有提供商";
    none_says = "llmio init asks for one and its key, and writes a catalog that serves." | "运行 llmio init 填写提供商和密钥，即可生成可用的配置。";
    addresses = "Addresses" | "地址";
    facts = "Facts" | "详情";
    built_in = "Answers inside llmio." | "在 llmio 内部应答。";
    local = "Its private address is meant." | "允许私有地址。";
    way_out = "Way out" | "出口";
    tags = "Tags" | "标签";
    pool = "Pool" | "账户池";
    targets = "Its targets" | "它的目标";
    trouble = "What is in trouble" | "有问题的部分";
    quick = "How quick it is" | "速度";
    quick_says = "Of the last minute: streams to their first content, other answers whole." | "最近一分钟：流式到首字，其他到完整应答。";
    streamed = "streamed" | "流式";
    whole = "whole" | "完整";
    calls = "Its calls" | "它的调用";
}
