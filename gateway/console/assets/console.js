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
