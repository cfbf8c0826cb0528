//! Adding a provider, or credentials to one.

super::words! {
    title = "Add a provider" | "添加提供商";
    title_more(name) = "Add credentials to {name}" | "为 {name} 添加凭据";
    says = "Keys are checked before they are saved, ten at a time. Nothing is stored until you say so." | "密钥在保存前先检查，每次 10 个。确认之前不会存储任何内容。";
    preset = "Provider" | "提供商";
    other = "another address" | "其他地址";
    base_url = "Address" | "地址";
    base_url_hint = "Where its API is served, such as https://relay.example/v1. Only for another address." | "API 的地址，例如 https://relay.example/v1。仅在选择其他地址时填写。";
    name = "Name" | "名称";
    name_hint = "Its name in catalogs and records. Left empty, it is named after the provider." | "配置和记录中的名称。留空则使用提供商的名称。";
    keys = "Keys, one a line" | "密钥，每行一个";
    keys_hint = "Or ${NAME} for a variable of this host." | "也可以写 ${NAME}，引用本机变量。";
    local = "Use this private address" | "确认使用此私有地址";
    check = "Check" | "检查";
    save_unchecked = "Save without checking" | "不检查直接保存";
    checking(count, address) = "Asking {address} about {count} keys." | "正在向 {address} 检查 {count} 个密钥。";
    number(number) = "Key {number}" | "密钥 {number}";
    works(models, span) = "works, {models} models, {span}" | "可用，{models} 个模型，{span}";
    not_proven(models) = "may work: it shows its {models} models to anybody" | "可能可用：它向任何人展示 {models} 个模型";
    fails = "does not work" | "不可用";
    refused_with(status) = "refused with {status}" | "被拒绝，{status}";
    done(good, bad) = "{good} may be saved, {bad} do not work." | "{good} 个可以保存，{bad} 个不可用。";
    none_good = "None of them works, so there is nothing to save." | "没有可用的密钥，无需保存。";
    to_save = "Keys that are saved, one a line" | "将保存的密钥，每行一个";
    save = "Save" | "保存";
    again = "Change what was entered" | "修改填写的内容";
}
