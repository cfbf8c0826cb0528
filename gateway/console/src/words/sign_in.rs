//! Signing in.

super::words! {
    title = "Sign in" | "登录";
    credential = "Admin token, or a key of your own" | "管理令牌，或你自己的密钥";
    sign_in = "Sign in" | "登录";
    where_it_is = "On the machine that runs llmio, “llmio token” prints the token. With a key you see your own calls." | "在运行 llmio 的机器上，用 llmio token 查看令牌。用密钥登录只能看到自己的调用。";
    nothing_entered = "Enter a token or a key." | "请输入令牌或密钥。";
    unknown = "This is neither the admin token nor a key that may be used now." | "这既不是管理令牌，也不是现在可用的密钥。";
    wait(seconds) = "Too many wrong ones came from your address. Wait {seconds} s." | "你的地址输错次数太多，请等待 {seconds} 秒。";
    enter_title = "Open the console" | "打开控制台";
    enter_says = "This link signs one browser in as admin, once." | "这个链接只能让一个浏览器以管理员身份登录一次。";
    enter = "Sign in as admin" | "以管理员身份登录";
    link_over = "This link was used already or is older than ten minutes." | "这个链接已经用过，或已超过十分钟。";
}
