//! What stands around every page.

super::words! {
    skip = "Skip to content" | "跳到正文";
    pages = "Pages" | "页面";
    pages_at_the_foot = "Pages, at the foot" | "底部页面";
    more = "More" | "更多";
    overview = "Overview" | "概览";
    records = "Records" | "记录";
    quota = "Quota" | "额度";
    models = "Models" | "模型";
    providers = "Providers" | "提供商";
    keys = "Keys" | "密钥";
    connect = "Connect" | "接入";
    playground = "Playground" | "试用";
    settings = "Settings" | "设置";
    me = "Me" | "我";
    sign_out = "Sign out" | "退出登录";
    light = "Light" | "浅色";
    dark = "Dark" | "深色";
    signed_in_as_admin = "Signed in as admin" | "以管理员身份登录";
    signed_in_with(key) = "Signed in with key {key}" | "以密钥 {key} 登录";
    failed_hop(provider) = "{provider} failed, " | "{provider} 失败，";
    add_provider = "Add a provider" | "添加提供商";
    not_told = "not told" | "未告知";
}
