//! Who changed the catalog, and what a version changed.

super::words! {
    title = "History" | "历史";
    says = "Who changed the catalog, when and how. Every version can be put back." | "谁在何时如何修改了配置。每个版本都可以恢复。";
    version = "Version" | "版本";
    version_number(number) = "Version {number}" | "版本 {number}";
    current = "in force" | "生效中";
    when = "When" | "时间";
    who = "Who" | "谁";
    how = "How" | "方式";
    none = "Nothing was changed yet" | "还没有修改";
    none_says = "The first change by the API, the console or llmio catalog import will be listed here." | "通过 API、控制台或 llmio catalog import 的第一次修改会显示在这里。";
    older = "Older" | "更早";
    not_stored = "nothing stored" | "未存储";
    what_changed = "What it changed" | "修改内容";
    first = "It changed nothing that is shown." | "没有可显示的修改。";
    before_gone = "The version before it is not kept any more." | "上一个版本已不再保留。";
    putting_back = "What putting it back would change now" | "恢复后会修改的内容";
    nothing_to_do = "Nothing: the catalog says the same already." | "无：当前配置已与之相同。";
    keys_stay = "Keys and teams stay as they are now, so that a key that was taken back does not become valid again." | "密钥和团队保持现状，以免已吊销的密钥重新生效。";
    put_back = "Put it back" | "恢复此版本";
    with_keys = "Keys and teams too" | "同时恢复密钥和团队";
}
