//! Keys that are made and changed.

use gateway_core::catalog::RecordBodies;

use crate::language::Language;

super::words! {
    new_title = "Make a key" | "创建密钥";
    name = "Name" | "名称";
    models = "Models it may use" | "可用模型";
    models_hint = "Names between commas, * at an end for a pattern. Left empty: all." | "用逗号分隔，首尾可用 *。留空表示全部。";
    rpm = "Calls a minute" | "每分钟调用";
    rpd = "Calls a day" | "每天调用";
    tpd = "Tokens a day" | "每天 token";
    budget = "Budget" | "预算";
    budget_hint = "Such as 5 USD/day or 20 USD/month." | "例如 5 USD/day 或 20 USD/month。";
    expires = "Expires" | "到期";
    expires_hint = "Such as 2027-01-31T00:00:00Z. Left empty: never." | "例如 2027-01-31T00:00:00Z。留空表示永不。";
    ips = "Networks it may be used from" | "允许的网络";
    ips_hint = "Such as 10.0.0.0/8, between commas. Left empty: anywhere." | "例如 10.0.0.0/8，用逗号分隔。留空表示不限。";
    avoid = "Tags of providers it avoids" | "避开的提供商标签";
    avoid_hint = "Between commas." | "用逗号分隔。";
    team = "Team" | "团队";
    no_team = "none" | "无";
    make = "Make this key" | "创建此密钥";
    made(name) = "The key of {name}" | "{name} 的密钥";
    made_says = "It is shown only once. llmio keeps a hash of it and cannot show it again." | "仅显示这一次。llmio 只保存其哈希，无法再次显示。";
    copy = "Copy" | "复制";
    copied = "Copied" | "已复制";
    not_copied = "Select and press Ctrl C" | "请选中后按 Ctrl C";
    connect = "Connect a client" | "接入客户端";
    enabled = "It may be used" | "可以使用";
    may = "What it may do" | "权限与限额";
    rotate_title = "Another secret" | "更换密文";
    rotate = "Rotate" | "更换";
    rotate_says = "The key gets another secret, which is shown once. The old one stays good for a while, so that the client can be given the new one first." | "密钥会得到新的密文，仅显示一次。旧密文会保留一段时间，以便先在客户端更换。";
    keep = "The old one is good for" | "旧密文继续有效";
    revoke_title = "Take it back" | "吊销";
    revoke = "Revoke" | "吊销";
    revoke_says = "Calls with it are refused from then on. Its records stay." | "此后不再识别该密钥，其记录保留。";
    sure_revoke(name) = "Revoke {name}" | "确认吊销 {name}";
    other_limits(limits) = "Limits that are written in the catalog and stay as they are: {limits}." | "写在配置中、保持不变的限额：{limits}。";
    bodies = "Keep what is said in its calls" | "保存其调用的对话内容";
    bodies_hint = "Sealed, without files and keys that are known for such. Its holder can only lower it." | "加密保存，不含文件和可识别的密钥。持有者只能调低。";
    bodies_as_set = "As the settings say" | "按设置";
    bodies_off = "Never" | "从不";
    bodies_errors = "Of calls that do not end well" | "仅未正常结束的调用";
    bodies_all = "Of all calls" | "全部调用";
    see_bodies = "Its holder may read it" | "持有者可以查看";
    calls = "Its calls" | "它的调用";
}

/// The levels of recorded bodies up to this one, as the options of a form.
pub(crate) fn bodies_up_to(most: RecordBodies, language: Language) -> impl Iterator<Item = (String, String)> {
    let options = RecordBodies::ALL.into_iter().filter(move |kept| *kept <= most);
    options.map(move |kept| (kept.name().to_owned(), bodies(kept, language).to_owned()))
}

/// What is kept of what is said, in words.
pub(crate) fn bodies(kept: RecordBodies, language: Language) -> &'static str {
    let words = Words(language);
    match kept {
        RecordBodies::Off => words.bodies_off(),
        RecordBodies::Errors => words.bodies_errors(),
        RecordBodies::All => words.bodies_all(),
    }
}
