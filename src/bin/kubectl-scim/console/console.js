// Everything can be read and done without this. It searches as one types, and shows changes as they come.
"use strict";

let asked = 0;
let answered = 0;

/** Parts of the page are replaced, as the server has them now; an answer that comes after a newer one is late. */
async function refresh(address, parts) {
  const number = ++asked;
  const text = await read(address);
  if (text === null || number < answered) return;
  answered = number;
  const page = new DOMParser().parseFromString(text, "text/html");
  // How many holds wait, and what can't be listed, is told on every page.
  for (const id of ["held", "state", ...parts]) replace(id, page.getElementById(id));
  if (parts.includes("title")) document.title = page.title;
  document.querySelectorAll("form[data-live] select").forEach((select) => renewChoices(select, page));
}

/** What a list may be narrowed by is what there is now; what is chosen stays chosen. */
function renewChoices(select, page) {
  const fresh = page.querySelector(`form[data-live] select[name="${select.name}"]`);
  const values = (of) => [...of.options].map((option) => option.value).join("\n");
  if (!fresh || values(fresh) === values(select)) return;
  if (select === document.activeElement) {
    // Somebody may be choosing.
    isOwed = true;
    return;
  }
  const chosen = select.selectedOptions[0];
  select.replaceChildren(...fresh.options);
  if (chosen && ![...select.options].some((option) => option.value === chosen.value)) select.append(chosen);
  select.value = chosen ? chosen.value : "";
}

function replace(id, fresh) {
  const shown = document.getElementById(id);
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
    refresh(address, [form.dataset.live]);
  };
  let timer;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, 40);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
}

// What the address says of an act that is done was said: the page is no news when it is opened again.
if (new URLSearchParams(location.search).has("done")) {
  const address = new URL(location.href);
  address.searchParams.delete("done");
  history.replaceState(null, "", address);
}

/** Something of this page has changed, and it hasn't been shown yet. */
let isOwed = false;
/** What is replaced between the press and the release isn't clicked. */
let isPressed = false;

/** Whether a page shows what has changed: the page of one object shows that, and whatever all pages depend on. */
function concerns(changed) {
  const isOfOne = /^[/](people|groups)[/][^/]+[/][^/]+$/.test(location.pathname);
  return !isOfOne || changed.includes("*") || changed.includes(location.pathname);
}

/** Shows the page as it is now, unless somebody is at work on it. */
function show() {
  // A form that somebody is filling in, a text that is selected, a manifest that is open, what the mouse is pressed on: they stay.
  const isHold = location.pathname.startsWith("/holds/");
  // What is searched for is beside the list that is replaced; a hold that has changed is loaded anew, with its search.
  const forms = isHold ? "main form, details" : "main form:not([data-live]), details";
  const at = document.activeElement;
  if (document.hidden || isPressed || (at && at.closest(forms)) || String(getSelection())) return;
  const isList = document.getElementById("results") && location.pathname !== "/";
  if (!isList && document.querySelector("main details[open]")) return;
  isOwed = false;
  // What a form was answered with, read at the server or tried isn't to be had once more; nor is a hold that is gone.
  const isStill = document.querySelector("main [data-still]") || location.pathname === "/do";
  if (isStill) return refresh("/holds", []);
  if (isHold) return isList ? reloadHold() : refresh("/holds", []);
  refresh(location.href, isList ? ["results"] : ["title", "content"]);
}

/** A hold that has changed has another id: whoever looks at it is told, and answers nothing that was not seen. */
async function reloadHold() {
  // The list is at hand; what is in a hold may have to be read in other namespaces.
  const holds = await read("/holds");
  if (holds === null) return;
  const page = new DOMParser().parseFromString(holds, "text/html");
  if (!holds.includes(`"${location.pathname}"`)) return location.reload();
  for (const id of ["held", "state"]) replace(id, page.getElementById(id));
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

function told({ news, changed }) {
  lost(news === "lost");
  if (news === "changed" && concerns(changed)) isOwed = true;
  if (isOwed) show();
}

// One page listens for all that are open: a browser opens six connections to an address, and pages need some, too.
const pages = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("changes");
if (pages) pages.onmessage = ({ data }) => told(data);

function listen(hasMissed) {
  const changes = new EventSource("/live");
  const tell = (news, changed = []) => {
    if (pages) pages.postMessage({ news, changed });
    told({ news, changed });
  };
  changes.onopen = () => {
    tell(hasMissed ? "changed" : "found", ["*"]);
    hasMissed = true;
  };
  changes.onmessage = ({ data }) => tell("changed", data.split("\n"));
  changes.onerror = () => tell("lost");
  // It listens until it is closed.
  return new Promise(() => {});
}

if (pages && navigator.locks) {
  navigator.locks.request("changes", { ifAvailable: true }, (lock) =>
    lock ? listen(false) : void navigator.locks.request("changes", () => listen(true)),
  );
} else {
  listen(false);
}
document.addEventListener("visibilitychange", show);
document.addEventListener("pointerdown", () => (isPressed = true));
for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => (isPressed = false));
// Whatever kept the page from showing a change may be over.
for (const name of ["focusout", "selectionchange", "pointerup", "pointercancel", "toggle"]) {
  document.addEventListener(name, () => setTimeout(() => isOwed && show()), true);
}
