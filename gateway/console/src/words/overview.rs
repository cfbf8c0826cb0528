//! What is happening.

super::words! {
    title = "Overview" | "概览";
    nothing_wrong = "Nothing needs a look." | "一切正常。";
    one_wrong = "One thing needs a look." | "有一处需要留意。";
    some_wrong(count) = "{count} things need a look." | "有 {count} 处需要留意。";
    look = "Needs a look" | "需要留意";
    latest = "Latest calls" | "最近的调用";
    all_calls = "All calls" | "全部调用";
    dry_at(limit, whom, time) = "{limit} of {whom}: {time}" | "{whom} 的{limit}：{time}";
    steps = "To begin with" | "开始使用";
    step_provider = "Name a provider and its key: “llmio init” asks for both." | "填写提供商和密钥：运行 llmio init。";
    step_model = "Give its models public names, in the catalog." | "在配置中给模型起公开名称。";
    step_key = "Make a key for a client: “llmio keys create NAME”." | "为客户端创建密钥：llmio keys create NAME。";
    step_call = "Call, for instance with this line:" | "发起调用，例如：";
    done = "done" | "已完成";
    connect = "Other clients" | "其他客户端";
}
