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
    kept_says(days) = "When, with which model, how it went, tokens and cost: for {days} days." | "时间、模型、结果、token 和费用，保留 {days} 天。";
    bodies_off = "What you and the model say is not kept." | "不保存对话内容。";
    bodies_errors(days) = "What is said in calls that do not end well is kept for {days} days, sealed. An admin can read it." | "未正常结束的调用，其对话内容加密保留 {days} 天，管理员可以查看。";
    bodies_all(days) = "What you and the model say is kept for {days} days, sealed. An admin can read it." | "对话内容加密保留 {days} 天，管理员可以查看。";
    bodies_seen = "You can read it with each of your calls." | "你可以在自己的调用中查看。";
    bodies_unseen = "You cannot read it yourself." | "你自己不能查看。";
    keep = "Keep what is said" | "保存对话内容";
    save = "Save" | "保存";
    calls = "Your calls" | "你的调用";
}
