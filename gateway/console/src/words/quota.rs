//! What is left, and until when.

super::words! {
    title = "Quota" | "额度";
    says(zone) = "What is left, until when it lasts at the present rate, and when there is more again. Times are {zone}." | "还剩多少、按目前速度用到几点、几点恢复。时间为 {zone}。";
    limit = "Limit" | "限额";
    left = "Left" | "剩余";
    lasts = "Lasts" | "可用到";
    back = "Back" | "恢复";
    source = "Source" | "来源";
    of(left, limit) = "{left} of {limit}" | "{left} / {limit}";
    left_percent(percent) = "{percent} % left" | "剩余 {percent} %";
    dry_at(time) = "dry {time}" | "{time} 用尽";
    enough = "lasts" | "够用";
    spent = "spent" | "已用尽";
    never = "never" | "不会恢复";
    slides = "slides" | "滑动窗口";
    unused = "unused" | "未使用";
    published(date) = "published, {date}" | "官方公布 {date}";
    yours = "your catalog" | "你的配置";
    calls_a_minute = "Calls a minute" | "每分钟次数";
    calls_a_day = "Calls a day" | "每日次数";
    tokens_a_minute = "Tokens a minute" | "每分钟 token";
    tokens_a_day = "Tokens a day" | "每日 token";
    points_a_day = "Points a day" | "每日点数";
    at_once = "Calls at once" | "并发数";
    credit = "Credit" | "余额";
    dollars_hours = "Dollars in some hours" | "若干小时内的美元";
    dollars_a_day = "Dollars a day" | "每日美元";
    dollars_a_week = "Dollars a week" | "每周美元";
    dollars_a_month = "Dollars a month" | "每月美元";
    all_models = "all models" | "全部模型";
    credential(label) = "credential {label}" | "凭据 {label}";
    no_credential = "no credential" | "无凭据";
    pool(name) = "pool {name}" | "账户池 {name}";
    the_pool = "all credentials together" | "全部凭据合计";
    whole_provider = "the whole provider" | "整个提供商";
    keys = "Keys’ own limits" | "密钥自己的限额";
    learnt = "What providers told themselves" | "提供商自己告知的";
    learnt_says = "Nothing is counted by these; they are what answers said." | "这些不参与计数，只是回答中告知的数字。";
    whom = "Whom" | "对象";
    what = "What" | "项目";
    a_minute = "a minute" | "每分钟";
    a_day = "a day" | "每日";
    told_at = "Told" | "得知于";
    none = "No limits are known" | "没有已知的限额";
    none_says = "Limits stand in the catalog: quotas of providers, limits of keys. Those that providers publish are known for presets." | "限额写在配置里：提供商的 quotas、密钥的 limits。预设提供商公布的限额是已知的。";
}
