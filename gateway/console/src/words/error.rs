//! Pages that cannot be shown.

super::words! {
    not_found = "There is no such page" | "没有这个页面";
    not_allowed = "This is not yours to see" | "你无权查看";
    failed = "This cannot be shown now" | "现在无法显示";
    refused = "This was refused" | "请求被拒绝";
    message_of_llmio = "llmio said:" | "llmio 的说明：";
    back = "To the first page" | "回到首页";
    calls_go_on = "Calls are served all the same." | "调用照常服务。";
}
