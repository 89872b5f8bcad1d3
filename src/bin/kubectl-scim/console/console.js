// Everything can be read and done without this. It searches as one types, and shows changes as they come.
"use strict";

const ended = document.getElementById("ended");
let running;

/** What can have the focus in a part of the page, in order. */
const stops = (part) => [...part.querySelectorAll("a[href], button, summary, [tabindex]")];

/** Shows the part of the page as the server has it now; the focus, and what was scrolled, stay where they were. */
async function refresh(address, part) {
  // What was asked before is not waited for: its answer would be older.
  running?.abort();
  running = new AbortController();
  let text;
  try {
    const response = await fetch(address, { headers: { Accept: "text/html" }, signal: running.signal });
    if (!response.ok) return;
    text = await response.text();
  } catch (error) {
    if (error.name !== "AbortError") ended.hidden = false;
    return;
  }
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById(part);
  const shown = document.getElementById(part);
  if (!fresh || !shown) return;
  const at = document.activeElement;
  const place = stops(shown).indexOf(at);
  const scrolled = [...shown.querySelectorAll(".wide")].map((wide) => wide.scrollLeft);
  shown.replaceWith(fresh);
  fresh.querySelectorAll(".wide").forEach((wide, number) => (wide.scrollLeft = scrolled[number] ?? 0));
  if (place < 0) return;
  const all = stops(fresh);
  const same = at.hasAttribute("href") && all.find((stop) => stop.getAttribute("href") === at.getAttribute("href"));
  (same || all[place] || fresh).focus({ preventScroll: true });
}

for (const form of document.querySelectorAll("form[data-live]")) {
  const search = () => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) query.set(name, value);
    const text = query.toString();
    const address = form.getAttribute("action") + (text ? "?" + text : "");
    history.replaceState(null, "", address);
    refresh(address, form.dataset.live);
  };
  let timer;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, 80);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
}

function changed() {
  // A form that somebody is filling in, a text that is selected, a manifest that is open: they stay.
  const at = document.activeElement;
  if ((at && at.closest("main form, details")) || String(getSelection())) return;
  const part = document.getElementById("results") && location.pathname !== "/" ? "results" : "main";
  const address = new URL(location.href);
  address.searchParams.delete("done");
  if (part === "main" && document.querySelector("main details[open]")) return;
  // What a form was answered with, read at the server or tried isn't to be had once more.
  if (document.querySelector("main [data-still]")) return;
  if (location.pathname === "/do") return;
  if (location.pathname.startsWith("/holds/")) return reloadHold();
  refresh(address, part);
}

/** A hold that has changed has another id: whoever looks at it is told, and answers nothing that was not seen. */
async function reloadHold() {
  try {
    const response = await fetch(location.href);
    if (response.status === 404) location.reload();
  } catch {
    ended.hidden = false;
  }
}

// A page that nobody sees keeps no connection: browsers have six for all of them.
let changes;
function listen() {
  if (document.hidden) return changes?.close();
  changes = new EventSource("/live");
  changes.onmessage = changed;
  changes.onopen = () => (ended.hidden = true);
  changes.onerror = () => (ended.hidden = false);
}
document.addEventListener("visibilitychange", () => {
  listen();
  if (!document.hidden) changed();
});
listen();
