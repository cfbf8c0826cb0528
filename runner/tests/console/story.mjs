// The first hour with the console, as a person goes through it: by mouse, by keyboard alone, and without scripts. From the
// one-time link to a provider with a good and a bad key, models that are joined, a key, a call and why it went where it went, a
// weight, and back to the catalog from before. What is said is kept, and read as a conversation.
import { API_KEYS, fresh } from "./world.mjs";

// What a person does. `selector` names the element; `press` leads to another page.
function mouse(page) {
  return {
    name: "mouse",
    fill: async (selector, text) => { await page.click(selector, { count: 3 }); await page.type(selector, text); },
    choose: (selector, value) => page.select(selector, value),
    toggle: (selector) => page.click(selector),
    press: async (selector) => { await Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.click(selector)]); },
  };
}

// By the keyboard alone: Tab leads to every field, link and button, in the order in which they are read.
function keyboard(page) {
  const reach = async (selector) => {
    await page.evaluate(() => document.activeElement?.blur());
    for (let step = 0; step < 400; step += 1) {
      await page.keyboard.press("Tab");
      if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) && document.activeElement === document.querySelector(wanted), selector)) return;
    }
    throw new Error(`Tab never leads to ${selector} on ${page.url()}`);
  };
  return {
    name: "keyboard",
    fill: async (selector, text) => {
      await reach(selector);
      await page.keyboard.down("Control"); await page.keyboard.press("a"); await page.keyboard.up("Control");
      for (const line of text.split("\n").flatMap((each, index) => (index ? ["\n", each] : [each]))) {
        if (line === "\n") await page.keyboard.press("Enter"); else await page.keyboard.type(line);
      }
    },
    choose: async (selector, value) => {
      await reach(selector);
      const label = await page.$eval(selector, (select, wanted) => [...select.options].find((option) => option.value === wanted).textContent, value);
      await page.keyboard.type(label);
    },
    toggle: async (selector) => { await reach(selector); await page.keyboard.press("Space"); },
    press: async (selector) => { await reach(selector); await Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.keyboard.press("Enter")]); },
  };
}

// One telling of the story. `find(where, what)` reports what is not as it should be.
async function told(browser, opened, find, binary, { scripts, hands }) {
  const there = await fresh(binary);
  const context = await browser.createBrowserContext();
  const page = await opened(context, { scripts });
  await page.setViewport({ width: 1280, height: 900 });
  const { fill, choose, toggle, press, name } = hands(page);
  const where = `story by ${name}${scripts ? "" : " without scripts"}`;
  const expect = async (what, test, ...values) => { if (!(await page.evaluate(test, ...values))) find(where, `${what} (${page.url()})`); };
  const has = (what, text) => expect(what, (wanted) => document.body.innerText.includes(wanted), text);
  const go = (path) => page.goto(`${there.url}/console/${path}`, { waitUntil: "load" });

  const { path } = JSON.parse((await there.api("POST", "/api/sessions")).text);
  await page.goto(`${there.url}/${path}`, { waitUntil: "load" });
  await press("form .btn.main");
  if (!page.url().endsWith("/console/overview")) find(where, `the link led to ${page.url()}`);

  for (const [provider, url] of Object.entries(there.providers)) {
    await go("add-provider");
    await choose("#add-provider-preset", "");
    await fill("#add-provider-base_url", url);
    await toggle("#add-provider-local");
    await fill("#add-provider-name", provider);
    await press("button[value=save]");
    await has(`${provider} was not saved`, "Saved as version");
    await press("a[href$='add-provider?to=" + provider + "']");
    await fill("#add-provider-credentials", `${API_KEYS.bad}\n${API_KEYS.good}`);
    await press("button[value=check]");
    await has("the bad key was not told", "refused with 401");
    await has("the good key was not told", "works, 2 models");
    await expect("the bad key may be saved", (bad) => !document.querySelector("textarea").value.includes(bad), API_KEYS.bad);
    await press("button[value=save]");
    await has("the key was not saved", "Saved as version");
  }

  await go("join");
  await press("main form[method=get] button");
  await has("names did not match", "qwen3-coder");
  await press("button[value=join]");
  await go("models/qwen3-coder");
  await expect("two providers do not share the model", () => document.querySelectorAll(".targets > li").length === 2);

  await go("settings");
  await toggle("section.flush details.change > summary");
  await choose("#settings-record_bodies", "all");
  await press("#settings button[value=save]");
  await has("what is said is not kept", "Saved as version");

  await go("keys");
  await fill("#new-name", "laptop");
  await press("#new button.main");
  const key = await page.$eval("#new-key", (element) => element.textContent);
  await press(".made a.main");
  if (!page.url().includes("/console/connect")) find(where, `Connect is ${page.url()}`);
  const call = await there.call(key, "qwen3-coder");
  if (call.status !== 200) find(where, `the call was answered with ${call.status}: ${call.text}`);
  await there.call(there.token, "qwen3-coder");
  for (let tries = 0; tries < 200; tries += 1) {
    const answer = await go(`records/${call.id}`);
    if (answer.status() === 200 && (await page.$(".way .served")) && (await page.$(".talk"))) break;
  }
  await has("the record does not say why", "the first it was sent to.");
  await expect("what was said is no conversation", () => [...document.querySelectorAll(".talk article")].map((turn) => turn.innerText.replace(/\s+/g, " ").trim()).join("|") === "User hello|Answer Hi Ended with stop.");
  await press(".tabsl a[href*='view=sent']");
  await has("what was sent is not shown as it stands", `"content":"hello"`);

  if (scripts) {
    await go("playground");
    await fill("#turn", "Hello");
    await toggle(".playg .btn.main");
    await page.waitForSelector("#way .way", { timeout: 30000 }).catch(() => {});
    await expect("the playground shows no answer", () => [...document.querySelectorAll(".talk .words")].filter((words) => words.textContent).length === 2);
    await expect("the playground reports a failure", () => !document.querySelector(".talk .st-fail"));
    await has("the playground does not say why", "the first it was sent to.");
  }

  await go("models/qwen3-coder");
  const before = await page.$eval("#target-0 [name=target]", (input) => input.value);
  await toggle(".targets > li:first-child summary");
  await fill("#target-0-weight", "0");
  await press("#target-0 button[value=save]");
  const version = new URL(page.url()).searchParams.get("saved");
  await press("main form[method=get] button");
  await has("the weight is not seen in the route", `${before}, tier 1, weight 0`);
  await go(`history/${version - 1}`);
  await press("button[value=restore]");
  await go("models/qwen3-coder?try=yes");
  await has("the old catalog is not back", `${before}, tier 1, weight 1`);

  await press(".foot button[formaction]");
  await fill("#credential", key);
  await press("form .btn.main");
  if (!page.url().endsWith("/console/me")) find(where, `the holder was led to ${page.url()}`);
  await go("records");
  await expect("the holder sees calls of others", () => document.querySelectorAll(".rec tbody tr").length === 1);
  await go(`records/${call.id}`);
  await expect("the holder reads what it may not", () => document.body.innerText.includes("may not read what was said") && !document.querySelector(".talk"));
  const refused = await go("models");
  if (refused.status() !== 403) find(where, `the holder sees models: ${refused.status()}`);
  await context.close();
  there.close();
}

export async function story(browser, opened, find, binary) {
  const all = [{ scripts: true, hands: mouse }, { scripts: true, hands: keyboard }, { scripts: false, hands: mouse }];
  for (const each of all) {
    try {
      await told(browser, opened, find, binary, each);
    } catch (error) {
      find(`story ${each.hands.name} ${each.scripts}`, String(error));
    }
  }
}
