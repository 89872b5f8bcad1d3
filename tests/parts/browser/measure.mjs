// Tells how soon the list of people is painted and searched, in milliseconds: benches/console.rs saves it.
import { browser, opened } from "./browser.mjs";

const { LINK, USERS, GROUPS, HOLDS } = process.env;
/** Somebody who types fast. */
const BETWEEN_KEYS = 100;
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

/** How soon a page is painted, several times. */
async function painted(path) {
  const paints = [];
  for (let round = 0; round < 5; round++) {
    await page.goto(`${origin}${path}`);
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
  return paints;
}

const nameOf = (round) => `user-${String((round * 10_007) % Number(USERS)).padStart(6, "0")}`;
const groupOf = (round) => `team-${String((round * 1_009) % Number(GROUPS)).padStart(4, "0")}`;
const paints = await painted("/people");

/** From a key, after which the search field says this, to what it found being shown. */
const shown = (text, found) =>
  page.evaluate(
    ([text, found]) =>
      new Promise((told) => {
        const input = document.querySelector("input[type=search]");
        const began = performance.now();
        new MutationObserver((_, observer) => {
          if (document.querySelector("#results p").textContent.startsWith(found)) {
            observer.disconnect();
            requestAnimationFrame(() => told(performance.now() - began));
          }
        }).observe(document.querySelector("main"), { childList: true, subtree: true });
        document.querySelector("#results p").textContent = "";
        input.value = text;
        input.dispatchEvent(new InputEvent("input", { bubbles: true }));
      }),
    [text, found],
  );

// A whole name is pasted, so that one search is sent; one letter finds everybody; a name is typed as people type.
const [pasted, letter, typed, answers] = [[], [], [], []];
for (let round = 0; round < 9; round++) {
  const name = nameOf(round);
  pasted.push(await shown(name, "1 person"));
  letter.push(await shown("e", `${USERS} people`));
  const keys = [...name];
  for (let length = 1; length < keys.length; length++) {
    await page.evaluate((text) => {
      const input = document.querySelector("input[type=search]");
      input.value = text;
      input.dispatchEvent(new InputEvent("input", { bubbles: true }));
    }, keys.slice(0, length).join(""));
    await page.waitForTimeout(BETWEEN_KEYS);
  }
  typed.push(await shown(name, "1 person"));
  answers.push(
    await page.evaluate(async (name) => {
      const began = performance.now();
      await (await fetch(`/people?q=${name}`)).text();
      return performance.now() - began;
    }, name),
  );
}

// A hold of everybody, one of all members of groups, and that of a roster: opened, and searched in.
const holds = {};
for (const [place, id] of HOLDS.split(",").entries()) {
  const ofGroups = place === 1;
  const all = ofGroups ? GROUPS : USERS;
  const times = { firstPaint: await painted(`/holds/${id}`), pasted: [], letter: [] };
  for (let round = 0; round < 9; round++) {
    times.pasted.push(await shown(ofGroups ? groupOf(round) : nameOf(round), `1 of ${all} are`));
    times.letter.push(await shown("e", `${all} of ${all} are`));
  }
  holds[id] = times;
}

console.log(JSON.stringify({ listedAt, firstPaint: paints, pasted, letter, typed, answer: answers, ...holds }));
await browser.close();
