//! What else there is.

super::words! {
    title = "Settings" | "设置";
    says = "What holds for the gateway as a whole. It is set in the catalog." | "对整个网关生效的设置，写在配置里。";
    catalog = "Catalog" | "配置";
    version = "Version stored" | "已存储版本";
    none_stored = "none" | "无";
    catalog_file = "From the catalog file" | "来自配置文件";
    catalog_file_says(sections) = "{sections}: the file is the authority; edit it there." | "{sections}：以文件为准，请在文件中修改。";
    retention = "Records are kept for" | "记录保留";
    days(count) = "{count} days" | "{count} 天";
    zone = "Zone" | "时区";
    proxies = "Trusted proxies" | "受信任的代理";
    nobody = "none" | "无";
    address = "Public address" | "公开地址";
    not_set = "not set" | "未设置";
    relays = "Relays" | "中继";
    relay = "Relay" | "中继";
    origin = "Origin" | "源站";
    public = "anybody" | "任何人";
    with_key = "with a key" | "需要密钥";
    no_relays = "There are none." | "没有中继。";
    sessions = "Who is signed in" | "已登录";
    who = "Who" | "谁";
    admin = "admin" | "管理员";
    since = "Since" | "自";
    until = "Until" | "至";
    browser = "Browser" | "浏览器";
    end = "End" | "结束";
    end_of(id) = "End session {id}" | "结束会话 {id}";
    doubtful = "What is missing or doubtful" | "缺失或存疑";
    off = "off" | "停用";
    change = "Change the settings" | "修改设置";
    retention_days = "Days that records are kept" | "记录保留天数";
    retention_hint = "From 1 to 3650. Left empty: 30." | "1 到 3650。留空为 30。";
    max_db_mib = "MiB that the database may hold" | "数据库上限（MiB）";
    max_db_hint = "The oldest records go first. Left empty: no limit." | "先删除最旧的记录。留空表示不限。";
    zone_hint = "Whose days quotas and pages count, such as Asia/Shanghai. Left empty: UTC." | "额度和页面按此时区划分日期，例如 Asia/Shanghai。留空为 UTC。";
    proxies_hint = "Addresses in front of llmio whose X-Forwarded-For is believed, between commas." | "llmio 前面、其 X-Forwarded-For 可信的地址，用逗号分隔。";
    relay_public = "Anybody may use it, without a key" | "任何人可用，无需密钥";
    origin_hint = "Such as https://api.example.com." | "例如 https://api.example.com。";
    add_relay = "Add this relay" | "添加此中继";
    add_relay_title = "Add a relay" | "添加中继";
    history = "Who changed the catalog" | "配置修改历史";
    all_well = "Nothing." | "没有。";
}
