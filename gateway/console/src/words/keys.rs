//! The keys that clients call with.

super::words! {
    title = "Keys" | "密钥";
    says = "Who may ask: the keys that were issued to clients. A key itself is shown once, when it is made." | "谁可以调用：发给客户端的密钥。密钥本身只在创建时显示一次。";
    key = "Key" | "密钥";
    state = "State" | "状态";
    models = "Models" | "模型";
    all_models = "all" | "全部";
    limits = "Limits" | "限额";
    no_limits = "none" | "无";
    expires = "Expires" | "到期";
    never = "never" | "永不";
    calls = "calls" | "调用";
    calls_of(key) = "Calls of {key}" | "{key} 的调用";
    usable = "usable" | "可用";
    off = "off" | "停用";
    expired = "expired" | "已过期";
    none = "There are no keys" | "还没有密钥";
    none_says = "Make one for each client. Until then only the admin token may call." | "为每个客户端创建一个。在此之前只有管理令牌可以调用。";
}
