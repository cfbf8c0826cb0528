//! Forms that change the catalog.

super::words! {
    refused = "This was not saved. llmio said:" | "未保存。llmio 的说明：";
    stale = "Somebody else has changed the catalog since this page was shown. What you entered is still here; save again to put it on top of this:" | "此页显示之后，配置已被他人修改。你填写的内容仍在，再次保存即可叠加在以下修改之上：";
    added(path) = "{path}: added" | "{path}：新增";
    added_value(path, value) = "{path}: added, {value}" | "{path}：新增，{value}";
    removed(path) = "{path}: removed" | "{path}：移除";
    removed_value(path, value) = "{path}: removed, was {value}" | "{path}：移除，原为 {value}";
    changed(path, before, after) = "{path}: {before} → {after}" | "{path}：{before} → {after}";
    hidden(path) = "{path}: another secret" | "{path}：更换了密文";
    saved(version) = "Saved as version {version}." | "已保存为版本 {version}。";
    see_and_undo = "See it, or undo it" | "查看或撤销";
    save = "Save" | "保存";
    remove = "Remove" | "移除";
    sure_remove(name) = "Remove {name}" | "确认移除 {name}";
    switch_off = "Switch off" | "停用";
    switch_on = "Switch on" | "启用";
    locked(section, place) = "{section} comes from the catalog file {place}. Edit it there." | "{section} 来自配置文件 {place}，请在文件中修改。";
}
