//! What the holder of a key sees of itself.

super::words! {
    title(key) = "Key {key}" | "密钥 {key}";
    says = "What is left to you, and what you may use." | "你还剩多少，可以用什么。";
    models = "Models you may use" | "你可以使用的模型";
    no_models = "None now." | "目前没有。";
    limits = "Your limits" | "你的限额";
    no_limits = "Your key has no limits of its own." | "你的密钥没有自己的限额。";
    expires = "Your key ends" | "密钥到期";
    kept = "What is kept of your calls" | "你的调用会留下什么";
    kept_says(days) = "When, with which model, how it went, tokens and cost: for {days} days. What you and the model say is not kept." | "时间、模型、结果、token 和费用，保留 {days} 天。不保存对话内容。";
    calls = "Your calls" | "你的调用";
}
