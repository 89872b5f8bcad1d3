// Tells how soon the list of people is painted and searched, in milliseconds: benches/console.rs saves it.
import { browser, opened } from "./browser.mjs";

const { LINK, USERS } = process.env;
const began = Date.now();
const { page, origin } = await opened(LINK);
page.setDefaultTimeout(600_000);

// All of them are listed when the page says so.
for (;;) {
  await page.goto(`${origin}/people`);
  if ((await page.locator("#results p").first().innerText()).startsWith(`${USERS} people`)) break;
  await page.waitForTimeout(250);
}
const listedAt = Date.now() - began;

const paints = [];
for (let round = 0; round < 5; round++) {
  await page.goto(`${origin}/people`);
  paints.push(
    await page.evaluate(
      () =>
        new Promise((told) => {
          new PerformanceObserver((list) => {
            const paint = list.getEntriesByName("first-contentful-paint")[0];
            if (paint) told(paint.startTime);
          }).observe({ type: "paint", buffered: true });
        }),
    ),
  );
}

// A whole name is pasted, so that one search is sent; what it takes begins with the key.
const searches = [];
const answers = [];
for (let round = 0; round < 9; round++) {
  const name = `user-${String((round * 10_007) % Number(USERS)).padStart(6, "0")}`;
  searches.push(
    await page.evaluate(
      (name) =>
        new Promise((told) => {
          const input = document.querySelector("input[type=search]");
          const began = performance.now();
          new MutationObserver((_, observer) => {
            if (document.querySelector("#results p").textContent.startsWith("1 person")) {
              observer.disconnect();
              requestAnimationFrame(() => told(performance.now() - began));
            }
          }).observe(document.querySelector("main"), { childList: true, subtree: true });
          document.querySelector("#results p").textContent = "";
          input.value = name;
          input.dispatchEvent(new InputEvent("input", { bubbles: true }));
        }),
      name,
    ),
  );
  answers.push(
    await page.evaluate(async (name) => {
      const began = performance.now();
      await (await fetch(`/people?q=${name}`)).text();
      return performance.now() - began;
    }, name),
  );
}

console.log(JSON.stringify({ listedAt, firstPaint: paints, search: searches, answer: answers }));
await browser.close();
