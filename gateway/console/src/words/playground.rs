//! The playground.

super::words! {
    title = "Playground" | "试用";
    says = "A call like any other: it is routed, counted against the key it is made as, and recorded." | "与普通请求一样：照常路由、计入所选密钥并写入记录。";
    model = "Model" | "模型";
    caller = "As key" | "使用密钥";
    admin = "admin" | "管理员";
    dialect = "Dialect" | "协议";
    system = "System prompt" | "系统提示词";
    temperature = "Temperature" | "Temperature";
    tokens = "Max tokens" | "最多 token";
    theirs = "the model’s" | "模型默认";
    streamed = "Streamed" | "流式";
    message = "Message" | "消息";
    send = "Send" | "发送";
    stop = "Stop" | "停止";
    clear = "Clear" | "清空";
    hint = "Ctrl Enter sends. Without scripts the answer is shown as it came." | "Ctrl Enter 发送。禁用脚本时显示原始应答。";
    you = "You" | "你";
    answer = "Answer" | "回答";
    reasoning = "Reasoning" | "思考";
    failed = "Failed" | "失败";
    nothing = "The answer had no text; its record says more." | "应答没有文字，详见记录。";
    why = "Why it went there" | "为何去那里";
    no_models = "There is no model to talk to yet." | "暂无可用模型。";
}
