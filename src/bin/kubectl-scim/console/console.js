// Everything can be read and done without this. It searches as one types, and shows changes as they come.
"use strict";

/** The part of the page that is replaced, as the server has it now; where the focus is, nothing moves. */
async function refresh(address, part) {
  const response = await fetch(address, { headers: { Accept: "text/html" } });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(part);
  const shown = document.getElementById(part);
  if (fresh && shown) shown.replaceWith(fresh);
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

const changes = new EventSource("/live");
changes.onmessage = () => {
  // A form that somebody is filling in, a text that is selected, a manifest that is open: they stay.
  const at = document.activeElement;
  if (document.hidden || (at && at.closest("main form, details")) || String(getSelection())) return;
  const part = document.getElementById("results") && location.pathname !== "/" ? "results" : "main";
  const focused = at && at.closest("main") ? null : at;
  const address = new URL(location.href);
  address.searchParams.delete("done");
  if (part === "main" && document.querySelector("main details[open]")) return;
  // What a form was answered with, read at the server or tried isn't to be had once more.
  if (document.querySelector("main [data-still]")) return;
  if (location.pathname === "/do") return;
  if (location.pathname.startsWith("/holds/")) return reloadHold();
  refresh(address, part).then(() => focused && focused.focus && focused.focus());
};

/** A hold that has changed has another id: whoever looks at it is told, and answers nothing that was not seen. */
async function reloadHold() {
  const response = await fetch(location.href);
  if (response.status === 404) location.reload();
}
