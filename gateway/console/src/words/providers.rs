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
    none_says = "Enter one with its keys; they are checked before they are saved. Or llmio init asks for it in a shell." | "填写提供商及其密钥，保存前会先检查；也可以在终端运行 llmio init。";
    addresses = "Addresses" | "地址";
    facts = "Facts" | "详情";
    built_in = "Answers inside llmio." | "在 llmio 内部应答。";
    reach = "Network" | "网络";
    local = "Its private address is allowed." | "允许私有地址。";
    way_out = "Way out" | "出口";
    tags = "Tags" | "标签";
    pool = "Pool" | "账户池";
    targets = "Its targets" | "它的目标";
    trouble = "What is in trouble" | "有问题的部分";
    quick = "How quick it is" | "速度";
    quick_says = "Of the last minute: streams to their first content, other answers whole." | "最近一分钟：流式到首字，其他到完整应答。";
    streamed = "streamed" | "流式";
    whole = "whole" | "完整";
    test = "Test" | "测试";
    listed(models, span) = "It answered with {models} models in {span}." | "{span} 后列出 {models} 个模型。";
    add_credentials = "Add credentials" | "添加凭据";
    tags_hint = "Names between commas; keys may avoid providers by them." | "用逗号分隔；密钥可按标签避开提供商。";
    short = "Letters of its mark" | "标记文字";
    short_hint = "One or two characters, where there is no room for its name; empty for those of its name." | "一到两个字符，在放不下名称处显示；留空则取自名称。";
    hue = "Colour of its mark" | "标记颜色";
    by_name = "By its name" | "按名称";
    enabled = "Calls may go to it" | "允许调用";
    remove_provider = "Remove this provider" | "移除此提供商";
    change = "Change this provider" | "修改此提供商";
    calls_in_a_day(count) = "calls in 24 h: {count}" | "24 小时 {count} 次调用";
    calls = "Its calls" | "它的调用";
}
