//! The list of calls.

super::words! {
    title = "Records" | "记录";
    says(zone) = "Every call: who asked, who answered, and how it went. Times are {zone}." | "每次调用：谁发起、谁应答、结果如何。时间为 {zone}。";
    says_own(zone) = "The calls of your key. Times are {zone}." | "你的密钥的调用。时间为 {zone}。";
    filter = "Filter" | "筛选";
    apply = "Apply" | "应用";
    remove(name) = "Remove the filter on {name}" | "移除筛选：{name}";
    remove_all = "Remove all" | "全部移除";
    any = "any" | "不限";
    time = "Time" | "时间";
    last_hour = "last hour" | "最近 1 小时";
    last_day = "last 24 hours" | "最近 24 小时";
    last_week = "last 7 days" | "最近 7 天";
    last_month = "last 30 days" | "最近 30 天";
    since(time) = "since {time}" | "{time} 起";
    until(time) = "until {time}" | "到 {time} 止";
    end = "End" | "结果";
    status = "Status" | "状态码";
    model = "Asked for" | "请求模型";
    answered_by = "Answered by" | "应答者";
    provider = "Provider" | "提供商";
    upstream_model = "Provider’s model" | "上游模型";
    key = "Key" | "密钥";
    key_and_client = "Key · client" | "密钥 · 客户端";
    client = "Address" | "地址";
    session = "Session" | "会话";
    endpoint = "Endpoint" | "端点";
    streamed = "Streamed" | "流式";
    yes = "yes" | "是";
    no = "no" | "否";
    tokens = "Tokens" | "Token";
    first = "First" | "首字";
    whole = "Whole" | "总耗时";
    cost = "Cost" | "费用";
    nobody = "nobody" | "无";
    older = "Older" | "更早";
    newest = "Newest" | "最新";
    count_of_page(count) = "{count} calls, newest first." | "共 {count} 次调用，最新的在前。";
    none_yet = "No call has come yet" | "还没有调用";
    none_yet_says = "As soon as a client calls, its call stands here." | "客户端一发起调用，就会出现在这里。";
    none_match = "No call fits these filters" | "没有符合筛选的调用";
    none_match_last(time) = "The last call came at {time}." | "最近一次调用在 {time}。";
    none_further = "There are no older calls" | "没有更早的调用";
    in_and_out(input, output) = "{input} tokens in, {output} out" | "输入 {input} token，输出 {output}";
}
