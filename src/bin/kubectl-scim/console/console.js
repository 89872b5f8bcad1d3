// Everything can be read and done without this. It searches as one types, and shows changes as they come.
"use strict";

let asked = 0;
let answered = 0;

/** The part of the page that is replaced, as the server has it now; an answer that comes after a newer one is late. */
async function refresh(address, part) {
  const number = ++asked;
  const text = await read(address);
  if (text === null || number < answered) return;
  answered = number;
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById(part);
  const shown = document.getElementById(part);
  if (!fresh || !shown || fresh.isEqualNode(shown)) return;
  const restore = placeIn(shown);
  shown.replaceWith(fresh);
  restore(fresh);
}

/** A page of the console's; of an object that is gone, the page that says so. */
async function read(address) {
  try {
    const response = await fetch(address, { headers: { Accept: "text/html" } });
    return response.ok || response.status === 404 ? await response.text() : null;
  } catch {
    // The console has ended, which the stream of changes notices too, or the page is being left.
    return null;
  }
}

/** Where somebody is in a part of the page: how far its tables are scrolled, and which link or table has the focus. */
function placeIn(part) {
  const regions = (within) => [...within.querySelectorAll("[role=region]")];
  const links = (within, href) => [...within.querySelectorAll("a")].filter((a) => a.getAttribute("href") === href);
  const scrolled = regions(part).map((region) => [region.getAttribute("aria-label"), region.scrollLeft]);
  const at = document.activeElement;
  const focused = part.contains(at) ? at : null;
  const href = focused && focused.getAttribute("href");
  const which = href ? links(part, href).indexOf(focused) : 0;
  const label = focused && focused.closest("[role=region]")?.getAttribute("aria-label");
  return (fresh) => {
    const named = (name) => regions(fresh).find((region) => region.getAttribute("aria-label") === name);
    for (const [name, left] of scrolled) {
      const region = left > 0 && named(name);
      if (region) region.scrollLeft = left;
    }
    if (!focused) return;
    const there = (href && links(fresh, href)[which]) || (label && named(label)) || document.getElementById("main");
    there.focus({ preventScroll: true });
  };
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

/** Shows the page as it is now, unless somebody is at work on it. */
function show() {
  // A form that somebody is filling in, a text that is selected, a manifest that is open: they stay.
  const at = document.activeElement;
  if (document.hidden || (at && at.closest("main form, details")) || String(getSelection())) return;
  const part = document.getElementById("results") && location.pathname !== "/" ? "results" : "main";
  if (part === "main" && document.querySelector("main details[open]")) return;
  // What a form was answered with, read at the server or tried isn't to be had once more.
  if (document.querySelector("main [data-still]") || location.pathname === "/do") return;
  if (location.pathname.startsWith("/holds/")) return reloadHold();
  const address = new URL(location.href);
  address.searchParams.delete("done");
  refresh(address, part);
}

/** A hold that has changed has another id: whoever looks at it is told, and answers nothing that was not seen. */
async function reloadHold() {
  // The list is at hand; what is in a hold may have to be read in other namespaces.
  const holds = await read("/holds");
  if (holds !== null && !holds.includes(`"${location.pathname}"`)) location.reload();
}

/** Says that nothing comes any more, until it does. */
function lost(isLost) {
  const notice = document.getElementById("lost");
  if (!isLost && notice) notice.remove();
  if (!isLost || notice) return;
  const words = document.createElement("p");
  words.id = "lost";
  words.className = "problem";
  words.setAttribute("role", "alert");
  const time = new Date().toLocaleTimeString();
  words.textContent = `The console doesn't answer: it was ended, or started anew with another link. This is what it showed at ${time}.`;
  document.getElementById("main").before(words);
}

function told(news) {
  lost(news === "lost");
  if (news === "changed") show();
}

// One page listens for all that are open: a browser opens six connections to an address, and pages need some, too.
const pages = new BroadcastChannel("changes");
pages.onmessage = ({ data }) => told(data);

function listen(hasMissed) {
  const changes = new EventSource("/live");
  const tell = (news) => {
    pages.postMessage(news);
    told(news);
  };
  changes.onopen = () => {
    tell(hasMissed ? "changed" : "found");
    hasMissed = true;
  };
  changes.onmessage = () => tell("changed");
  changes.onerror = () => tell("lost");
  // It listens until it is closed.
  return new Promise(() => {});
}

navigator.locks.request("changes", { ifAvailable: true }, (lock) =>
  lock ? listen(false) : void navigator.locks.request("changes", () => listen(true)),
);
document.addEventListener("visibilitychange", show);
