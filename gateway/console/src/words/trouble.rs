//! What keeps somebody out of use.

super::words! {
    open = "rests" | "休息";
    unknown_model = "unknown model" | "模型未知";
    resting = "rests" | "休息";
    cooling = "cools" | "冷却";
    spent = "spent" | "已用尽";
    until(time) = "until {time}" | "到 {time}";
    tried_next = "The next call tries it." | "下一次调用将试探。";
    last_message(words) = "It said “{words}”." | "它说「{words}」。";
    in_a_row(count) = "{count} times in a row." | "连续 {count} 次。";
    ready = "ready" | "可用";
    off = "off" | "停用";
    missing = "secret missing" | "缺少密钥";
}
