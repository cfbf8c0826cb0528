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
