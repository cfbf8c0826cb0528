// What only a browser can do. Everything can be read and changed without it.
document.addEventListener("click", (event) => {
  // A menu that is open closes when something beside it is clicked.
  for (const menu of document.querySelectorAll("details.sel[open], .tabs details[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = event.target.closest?.("details[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Copying, over plain HTTP too, where browsers have no clipboard for pages: the text is then selected.
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  const label = button.textContent;
  button.addEventListener("click", async () => {
    button.textContent = (await copied(document.getElementById(button.dataset.copy))) ? button.dataset.done : button.dataset.failed;
    setTimeout(() => { button.textContent = label; }, 1600);
  });
}

async function copied(source) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  }
}

// New calls, as they come, for who wants that. The server tells that there are some, and the page fetches itself anew: it is
// parsed as a document of its own, so that no markup is made of text here. It waits while somebody reads: scrolled down, or
// pointing at a row.
const live = document.querySelector("[data-tail]");
if (live) {
  let source = null, unread = 0, pointing = false, busy = false;
  const word = () => {
    live.textContent = source && unread ? `${unread} ${live.dataset.new}` : live.dataset.live;
    live.setAttribute("aria-pressed", String(Boolean(source)));
  };
  const isRead = () => pointing || scrollY > 200 || document.hidden || document.querySelector(".filters details[open]");
  const fresh = () => {
    word();
    if (busy || !unread || isRead()) return;
    busy = true;
    const seen = unread;
    const request = new XMLHttpRequest();
    request.responseType = "document";
    request.onloadend = () => {
      busy = false;
      const parts = request.status === 200 && request.response ? document.querySelectorAll("[data-fresh]") : [];
      for (const part of parts) {
        const next = request.response.querySelector(`[data-fresh="${part.dataset.fresh}"]`);
        if (next) part.replaceWith(document.importNode(next, true));
      }
      if (parts.length) unread = Math.max(0, unread - seen);
      word();
    };
    request.open("GET", location.href);
    request.send();
  };
  const follow = () => {
    source = new EventSource(live.dataset.tail);
    source.addEventListener("record", () => { unread += 1; fresh(); });
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) source = null; word(); };
    word();
  };
  const wanted = (on) => { try { sessionStorage.setItem("live", on ? "1" : ""); } catch { /* Storage is off. */ } };
  live.setAttribute("role", "button");
  live.addEventListener("click", (event) => {
    event.preventDefault();
    wanted(!source);
    if (!source) return follow();
    source.close();
    source = null;
    unread = 0;
    word();
  });
  document.addEventListener("pointerover", (event) => { pointing = Boolean(event.target.closest?.("tbody tr")); if (source) fresh(); });
  document.addEventListener("visibilitychange", () => { if (source) fresh(); });
  addEventListener("scroll", () => { if (source) fresh(); }, { passive: true });
  setInterval(() => { if (source) fresh(); }, 1000);
  word();
  try { if (sessionStorage.getItem("live")) follow(); } catch { /* Storage is off. */ }
}

// The playground: the form is sent without leaving the page, and the answer shown as it comes. The model gets what was said before
// too. Why the call went where it went is taken from its record, once that is there.
const play = document.querySelector("form[data-play]");
if (play) {
  const [talk, way, box] = ["talk", "way", "turn"].map((id) => document.getElementById(id));
  const [stop, clear] = [play.querySelector("[data-stop]"), play.querySelector("[data-clear]")];
  let turns = [], running = null;
  const element = (name, text, ...names) => {
    const made = document.createElement(name);
    made.textContent = text;
    made.classList.add(...names);
    return made;
  };
  const say = (who, text) => {
    const [article, header, body, words] = [element("article", ""), element("header", ""), element("div", "", "body"), element("p", text, "words")];
    header.append(element("b", who));
    body.append(words);
    article.append(header, body);
    talk.append(article);
    return { body, words, reasoning: null };
  };
  // What an event or a whole answer of any dialect holds for people: text, reasoning, an error.
  const parts = (event) => {
    const error = (event.error ?? event.response?.error)?.message;
    if (error) return { error };
    const choice = event.choices?.[0]?.delta ?? event.choices?.[0]?.message;
    if (choice) return { text: choice.content, reasoning: choice.reasoning_content };
    if (event.type === "response.output_text.delta") return { text: event.delta };
    if (event.type === "response.reasoning_summary_text.delta") return { reasoning: event.delta };
    if (event.type === "content_block_delta") return { text: event.delta?.text, reasoning: event.delta?.thinking };
    const joined = (list, of) => (list ?? []).map(of).filter(Boolean).join("");
    if (event.object === "response") return { text: joined(event.output, (item) => joined(item.content, (part) => part.text)) };
    if (event.type === "message") return { text: joined(event.content, (part) => part.text), reasoning: joined(event.content, (part) => part.thinking) };
    const given = event.candidates?.[0]?.content?.parts;
    return { text: joined(given, (part) => !part.thought && part.text), reasoning: joined(given, (part) => part.thought && part.text) };
  };
  const show = (answer, { text, reasoning, error }) => {
    if (text) answer.words.textContent += text;
    if (reasoning) {
      if (!answer.reasoning) {
        const details = element("details", "");
        answer.reasoning = element("p", "", "words", "soft");
        details.append(element("summary", play.dataset.reasoning), answer.reasoning);
        answer.body.prepend(details);
      }
      answer.reasoning.textContent += reasoning;
    }
    if (error) answer.body.append(element("p", `${play.dataset.failed}: ${error}`, "st-fail"));
    return Boolean(error);
  };
  const read = async (response, answer) => {
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) return show(answer, parts(await response.json()));
    let failed = false, rest = "";
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      rest += decoder.decode(value ?? new Uint8Array(), { stream: !done });
      const events = rest.split(/\r?\n\r?\n/);
      rest = done ? "" : events.pop();
      for (const event of events) {
        const data = event.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n").trim();
        if (data && data !== "[DONE]") failed = show(answer, parts(JSON.parse(data))) || failed;
      }
      if (done) return failed;
    }
  };
  const why = (id) => {
    const request = new XMLHttpRequest();
    request.responseType = "document";
    request.onloadend = () => {
      const link = element("a", id, "link");
      link.href = play.dataset.play + id;
      way.replaceChildren(way.querySelector("h2"));
      for (const each of request.response?.querySelectorAll(".because, .way") ?? []) way.append(document.importNode(each, true));
      const line = element("p", "", "mono");
      line.append(link);
      way.append(line);
      way.hidden = false;
    };
    request.open("GET", play.dataset.play + id);
    request.send();
  };
  const call = async () => {
    const [said, form] = [box.value.trim(), new FormData(play)];
    if (!said || running) return;
    form.delete("turn");
    for (const turn of [...turns, said]) form.append("turn", turn);
    box.value = "";
    say(play.dataset.you, said);
    const answer = say(play.dataset.answer, "");
    running = new AbortController();
    stop.hidden = false;
    clear.hidden = false;
    let [failed, id] = [true, null];
    try {
      const response = await fetch(play.action, { method: "POST", body: new URLSearchParams(form), signal: running.signal });
      id = response.headers.get("x-llmio-record");
      failed = await read(response, answer);
      if (!failed && !answer.words.textContent) answer.words.textContent = play.dataset.nothing;
    } catch (error) {
      show(answer, { error: error.message });
    }
    running = null;
    stop.hidden = true;
    if (!failed) turns.push(said, answer.words.textContent);
    if (id) why(id);
  };
  play.addEventListener("submit", (event) => { event.preventDefault(); call(); });
  box.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); call(); } });
  stop.addEventListener("click", () => running?.abort());
  clear.addEventListener("click", () => { running?.abort(); turns = []; talk.replaceChildren(); way.hidden = true; clear.hidden = true; });
}
