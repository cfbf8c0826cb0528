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
    access = "Access" | "访问";
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
    all_well = "Nothing." | "没有。";
}
