// What the browser tests share: a page opened by its link, axe, widths, pictures.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { BROWSER, NAMESPACE, KUBECTL } = process.env;
const require = createRequire(`${BROWSER}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const kubectl = (...args) => execFileSync(KUBECTL, ["-n", NAMESPACE, ...args], { encoding: "utf8" });
export const applied = (object) =>
  execFileSync(KUBECTL, ["-n", NAMESPACE, "apply", "-f", "-"], { encoding: "utf8", input: JSON.stringify(object) });
export const browser = await chromium.launch({
  executablePath: `${BROWSER}/chrome`,
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-lcd-text"],
});

/** A page opened by its link, in a browser of its own. */
export async function opened(link, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => complaints.push(`a dialog: ${dialog.message()}`));
  await page.goto(link);
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  return { context, page, complaints, origin: new URL(link).origin };
}

/** What has the focus: its words, those of its label where it is a field. */
export const focused = (page) =>
  page.evaluate(() => {
    const at = document.activeElement;
    const words = at.labels?.[0] ? `${at.labels[0].innerText} ${at.placeholder ?? ""}` : at.innerText;
    const outline = parseFloat(getComputedStyle(at).outlineWidth);
    return { text: words.replace(/\s+/g, " ").trim(), id: at.id, label: at.getAttribute("aria-label"), outline };
  });

export async function accessible(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], page.url());
}

export async function fits(page) {
  for (const width of [360, 768, 1280, 2560]) {
    await page.setViewportSize({ width, height: 900 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${page.url()} is ${wide} px too wide at ${width}`);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}

/** The browser complained of nothing but of what was refused on purpose. */
export function content(complaints) {
  const unexpected = complaints.filter((text) => !/status of (403|404|409)/.test(text));
  assert.deepEqual(unexpected, [], "the browser complained");
}
