//! Models, and one of them.

super::words! {
    title = "Models" | "模型";
    says = "The names that clients ask for, and who shares their calls." | "客户端请求的名称，以及由谁分担调用。";
    model = "Model" | "模型";
    shared_by = "Shared by" | "分担者";
    strategy = "Strategy" | "策略";
    targets = "Targets" | "目标";
    state = "State" | "状态";
    can_serve(count, all) = "{count} of {all} can serve" | "{all} 个目标中 {count} 个可用";
    none = "There are no models" | "还没有模型";
    none_says = "A catalog names models and their targets. Until it does, the built-in model demo answers inside llmio." | "模型及其目标写在配置里。在此之前，由内置模型 demo 应答。";
    tier(number) = "Tier {number}" | "第 {number} 层";
    tier_first = "used first" | "最先使用";
    tier_later = "when none before it can serve" | "前面各层都不可用时";
    weight_share(weight, percent) = "weight {weight}, {percent} %" | "权重 {weight}，{percent} %";
    price = "Price per million" | "每百万价格";
    price_in_out(input, output) = "{input} in, {output} out" | "输入 {input}，输出 {output}";
    price_unknown = "not known" | "未知";
    free = "free" | "免费";
    context = "Context" | "上下文";
    lacks = "Lacks" | "缺少";
    tools = "tools" | "工具";
    structured = "structured answers" | "结构化输出";
    images = "images" | "图像";
    also = "Aliases" | "别名";
    fallback = "When none can serve" | "都不可用时";
    attempts = "Attempts at most" | "最多尝试";
    affinity = "Affinity" | "亲和";
    translation = "Translation" | "转换";
    facts = "Facts" | "详情";
    calls = "Its calls" | "它的调用";
}
