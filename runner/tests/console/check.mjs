// node check.mjs [--binary llmio] [--shots folder]: signs in, reads every page in both themes and languages at five widths,
// and says what is wrong: sideways scrolling, barriers (axe, WCAG AA), reports of the policy, dialogs, errors.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { story } from "./story.mjs";
import { TOKEN, world } from "./world.mjs";

const option = (name, otherwise) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : otherwise);
const shots = option("--shots");
if (shots) mkdirSync(shots, { recursive: true });
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [360, 390, 768, 1024, 1440];
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const findings = [];
const find = (where, what) => { findings.push(`${where}: ${what}`); console.log(`${where}: ${what}`); };

const binary = option("--binary", "target/debug/llmio");
const there = await world(binary);
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb", "--hide-scrollbars"],
});

// A page that reports what a browser says of it.
async function opened(context, { language = "en-GB", scripts = true } = {}) {
  const page = await context.newPage();
  await page.setJavaScriptEnabled(scripts);
  await page.setExtraHTTPHeaders({ "accept-language": language });
  page.on("dialog", (dialog) => { find(page.url(), `a dialog: ${dialog.message()}`); dialog.dismiss(); });
  // A page that is refused is reported as an error of loading it; its status is looked at where it is asked for.
  const isStatus = (text) => text.startsWith("Failed to load resource: the server responded with a status of 4");
  page.on("console", (message) => { if (["error", "warn"].includes(message.type()) && !isStatus(message.text())) find(page.url(), message.text()); });
  page.on("pageerror", (error) => find(page.url(), String(error)));
  return page;
}

async function signedIn(page, credential = TOKEN) {
  await page.goto(`${there.url}/`);
  await page.type("#credential", credential);
  await Promise.all([page.waitForNavigation(), page.click("form .btn.main")]);
}

// Boxes that stand out at the right of the window, but for those that something within it cuts off, lets be scrolled, or draws.
function standingOut() {
  const edge = document.documentElement.clientWidth;
  const isCut = (each) => {
    for (let around = each.parentElement; around && around !== document.body; around = around.parentElement) {
      if (getComputedStyle(around).overflowX !== "visible" && around.getBoundingClientRect().right <= edge + 1) return true;
    }
    return false;
  };
  const beyond = [...document.querySelectorAll("main *")].filter((each) => {
    const box = each.getBoundingClientRect();
    return box.width && box.right > edge + 1 && !each.parentElement.closest("svg") && getComputedStyle(each).position !== "absolute" && !isCut(each);
  });
  const said = beyond.slice(0, 3).map((each) => `${each.tagName}.${each.getAttribute("class")} of ${each.parentElement.className} to ${Math.round(each.getBoundingClientRect().right)}`);
  const width = document.documentElement.scrollWidth;
  return width > edge ? [`page ${width}`, ...said] : said;
}

// Loads a page once and looks at it in both themes and at every width: styles follow these without another load.
async function looked(page, path, { status, language }) {
  const answer = await page.goto(`${there.url}/console/${path}`, { waitUntil: "load" });
  if (answer.status() !== status) find(path, `status ${answer.status()}`);
  await page.evaluate(axe);
  for (const width of WIDTHS) {
    await page.setViewport({ width, height: width < 500 ? 800 : 900, deviceScaleFactor: 1 });
    for (const theme of ["light", "dark"]) {
      const label = `${path} ${language} ${theme} ${width}`;
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
      const wide = await page.evaluate(standingOut);
      if (wide.length) find(label, `scrolls sideways: ${wide.join(", ")}`);
      if (width === 360 || width === 1440) await judged(page, path, { language, theme, width, label });
    }
  }
}

async function judged(page, path, { language, theme, width, label }) {
  const { violations } = await page.evaluate((rules) => globalThis.axe.run(document, { runOnly: rules, resultTypes: ["violations"] }), RULES);
  for (const each of violations) find(label, `axe ${each.id}: ${each.nodes.slice(0, 3).map((node) => `${node.target} ${node.any[0]?.message ?? node.all[0]?.message ?? ""}`).join(" | ")}`);
  const name = `${path.replace(/[^a-z0-9]+/g, "-").slice(0, 40)}-${language}-${theme}-${width}.png`;
  if (shots) await page.screenshot({ path: join(shots, name), fullPage: width === 1440 });
}

const records = JSON.parse((await there.api("GET", "/api/records?limit=500")).text).records;
await there.api("POST", "/api/keys", JSON.stringify({ name: "someone", models: ["assistant"], limits: { rpm: 5, budget: "5 USD/day" } }));
const newest = (test) => records.find(test)?.id ?? find("the world", `has no record ${test}`);
const failedOver = newest((record) => record.model === "qwen3-coder" && record.attempts.length > 1);
const paths = [
  ["records", 200], [`records/${failedOver}`, 200], [`records/${newest((r) => r.model === "assistant")}`, 200],
  [`records/${newest((r) => r.model === "broken" && r.attempts.length)}`, 200],
  [`records/${newest((r) => r.model === "assistant")}?view=request`, 200],
  ["overview", 200], ["quota", 200], ["models", 200], ["models/qwen3-coder", 200], ["providers", 200], ["providers/modelscope", 200],
  ["keys", 200], ["keys/someone", 200], ["connect", 200], ["playground", 200], ["settings", 200], ["history", 200], ["history/1", 200],
  ["add-provider", 200], ["add-provider?to=modelscope", 200], ["join", 200], ["join?ask=yes&provider=modelscope", 200],
  ["models/qwen3-coder?try=yes", 200], ["models/qwen3-coder?saved=1", 200],
  ["records?state=ok&span=24h&model=assistant", 200], ["records?failed_over=true&q=rate", 200], ["sessions", 200],
  ["overview?span=7d&show=tokens", 200], ["records?model=none", 200], ["records?state=odd", 400], ["nothing", 404],
];

for (const language of ["en", "zh-CN"]) {
  const context = await browser.createBrowserContext();
  const page = await opened(context, { language });
  await looked(page, "sign-in", { status: 200, language });
  await signedIn(page);
  if (!page.url().endsWith("/console/overview")) find("signing in", `led to ${page.url()}`);
  for (const [path, status] of paths) await looked(page, path, { status, language });
  await context.close();
}

// Every record, for what attacks stand in it.
{
  const context = await browser.createBrowserContext();
  const page = await opened(context);
  await signedIn(page);
  for (let next = "records"; next; next = await page.evaluate(() => document.querySelector("a[rel=next]")?.getAttribute("href"))) {
    await page.goto(`${there.url}/console/${next}`, { waitUntil: "load" });
    await page.click(".sel > summary");
  }
  for (const record of records) {
    await page.goto(`${there.url}/console/records/${record.id}`, { waitUntil: "load" });
    const added = await page.evaluate(() => document.querySelectorAll("main :is(script, iframe, img, style, link, base, form[action^=java])").length);
    if (added) find(page.url(), "a value became markup");
  }
  console.log(`${records.length} records read`);
  // What a relay serves, beside the session.
  const quiet = await context.newPage();
  for (const path of ["relay/open/page", "relay/open/svg", "relay/open/worker.js"]) {
    await quiet.goto(`${there.url}/${path}`, { waitUntil: "networkidle0" });
  }
  await new Promise((ok) => setTimeout(ok, 300));
  const workers = await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length);
  const stolen = there.asked.filter((each) => each.includes("stolen"));
  if (stolen.length || workers) find("a relay", `became the console: ${stolen.join(", ")} ${workers} workers`);
  if (!there.asked.some((each) => each.includes("/page"))) find("a relay", "was not asked");
  await quiet.close();
  await page.bringToFront();
  await page.goto(`${there.url}/console/records`);
  if (!page.url().endsWith("/console/records")) find("a relay", "ended the session");
  await context.close();
}

// The holder of a key.
{
  const made = await there.api("POST", "/api/keys", JSON.stringify({ name: "laptop", models: ["assistant"] }));
  const context = await browser.createBrowserContext();
  const page = await opened(context);
  await signedIn(page, JSON.parse(made.text).key);
  if (!page.url().endsWith("/console/me")) find("the holder of a key", `was led to ${page.url()}`);
  for (const path of ["me", "records", "connect", "playground"]) await looked(page, path, { status: 200, language: "holder" });
  await context.close();
}

// New calls come by themselves where that is asked for.
{
  const context = await browser.createBrowserContext();
  const page = await opened(context);
  await signedIn(page);
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(`${there.url}/console/records`);
  await page.click("[data-tail]");
  await page.waitForSelector('[data-tail][aria-pressed="true"]');
  const before = await page.$eval(".rec tbody a.row", (first) => first.getAttribute("href"));
  await there.api("POST", "/v1/chat/completions", JSON.stringify({ model: "qwen3-coder", messages: [{ role: "user", content: "hello" }] }));
  const isNew = (old) => document.querySelector(".rec tbody a.row").getAttribute("href") !== old;
  await page.waitForFunction(isNew, { timeout: 30_000 }, before).catch(() => find("live", "the new call did not come"));
  await context.close();
}

// Without scripts: signing in, a filter, a language, signing out.
{
  const context = await browser.createBrowserContext();
  const page = await opened(context, { scripts: false });
  await signedIn(page);
  await page.goto(`${there.url}/console/records`);
  const press = async (selector) => { await Promise.all([page.waitForNavigation(), page.click(selector)]); };
  await page.setViewport({ width: 1280, height: 900 });
  await page.click(".sel > summary");
  await page.type("#f-model", "assistant");
  await press(".sel form .btn.main");
  const rows = await page.$$eval(".rec tbody tr", (all) => all.length);
  if (rows !== 3) find("without scripts", `${rows} calls of assistant`);
  await press(".foot button[name=language]");
  if ((await page.$eval("html", (html) => html.lang)) !== "zh-CN" || !page.url().includes("model=assistant")) find("without scripts", "the language did not change");
  await press(".foot button[value=dark]");
  if ((await page.$eval("html", (html) => html.dataset.theme)) !== "dark") find("without scripts", "the theme did not change");
  await press(".rec tbody a.row");
  if (!page.url().includes("/console/records/")) find("without scripts", "a call did not open");
  await press(".foot button[formaction]");
  if (!page.url().endsWith("/console/sign-in")) find("without scripts", `signing out led to ${page.url()}`);
  await context.close();
}

await story(browser, opened, find, binary);

await browser.close();
there.close();
console.log(findings.length ? `${findings.length} findings` : "no findings");
process.exit(findings.length ? 1 : 0);
