//! How clients are connected.

super::words! {
    title = "Connect" | "接入";
    says = "What to set in a client, as text to copy. $LLMIO_KEY is the client’s key." | "客户端的设置，可直接复制。$LLMIO_KEY 是客户端的密钥。";
    model = "Model" | "模型";
    show = "Show" | "显示";
    base_urls = "Base URLs" | "Base URL";
    openai = "OpenAI, and what calls itself compatible" | "OpenAI 及兼容客户端";
    anthropic = "Anthropic" | "Anthropic";
    gemini = "Gemini" | "Gemini";
    azure = "Azure OpenAI, as the endpoint" | "Azure OpenAI（endpoint）";
    copy = "Copy" | "复制";
    copied = "Copied" | "已复制";
    not_copied = "Select and press Ctrl C" | "请选中后按 Ctrl C";
    no_models = "No model may be used yet, so the name in the text stands for one." | "暂无可用模型，文中的名称仅为示例。";
}
