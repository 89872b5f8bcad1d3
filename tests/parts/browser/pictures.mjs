// Looks at every page of a made-up company in both schemes, and takes the pictures of the documentation.
import assert from "node:assert/strict";
import { accessible, browser, content, fits, opened } from "./browser.mjs";

const { LINK, PICTURES } = process.env;
const { page, complaints, origin } = await opened(LINK);

/** The page down to the end of something, or all of it. */
async function picture(name, { until, most = 1400 } = {}) {
  await page.setViewportSize({ width: 1200, height: 800 });
  const end = until ? await until.evaluate((element) => element.getBoundingClientRect().bottom + scrollY) : most;
  const height = Math.ceil(Math.min(end + 16, most, await page.evaluate(() => document.documentElement.scrollHeight)));
  await page.screenshot({ path: `${PICTURES}/${name}.png`, fullPage: true, clip: { x: 0, y: 0, width: 1200, height } });
}

/** A page in both schemes: it is accessible, and pictured where it has a name. */
async function looked(name, options, schemes = ["light"]) {
  await fits(page);
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme });
    await accessible(page);
    if (name && schemes.includes(scheme)) await picture(scheme === "dark" ? `${name}-dark` : name, options);
  }
  await page.emulateMedia({ colorScheme: "light" });
}

// One connection in trouble, one to look at soon, one that is well; what the last day was like; why people aren't as declared.
await page.locator(".card").nth(2).waitFor();
await page.getByText(/operations took effect/).waitFor({ timeout: 60_000 });
assert.deepEqual(
  await page.locator(".card").evaluateAll((cards) => cards.map((card) => [card.querySelector("h2").innerText, card.className])),
  [["identity/slack", "card bad"], ["identity/github", "card warning"], ["identity/datadog", "card good"]],
);
// What happened is to be seen, with its scale.
const heights = await page.locator("svg.plot").first().locator("rect[height]").evaluateAll((all) => all.map((one) => one.getBoundingClientRect().height));
assert.ok(heights.filter((height) => height > 3).length > 10, `${heights}`);
await looked("console-overview", {}, ["light", "dark"]);

await page.goto(`${origin}/people`);
await page.getByRole("searchbox").pressSequentially("sorensen");
await page.getByText("3 people").waitFor();
await page.getByRole("searchbox").fill("");
await page.getByText("90 people").waitFor();
await page.getByRole("searchbox").blur();
await looked("console-people", { most: 900 });

// One person, whose title somebody changed at the server: drift, and not owed.
await page.goto(`${origin}/people/identity/github-noa-ben-david`);
await page.getByRole("button", { name: "Read the account at the server" }).click();
await page.locator("#server").getByText("changed at the server, and left so by driftPolicy").waitFor();
await page.getByText("Nothing is owed.").waitFor();
await looked("console-person", { until: page.locator("#steps") });

// The hold: who leaves, who loses roles, who is renamed.
await page.goto(`${origin}/`);
await page.locator(".card.bad a").filter({ hasText: "A hold waits" }).click();
for (const heading of [/^11 deactivations, 5 updates at identity[/]slack/, /deactivated [(]11[)]/, /roles [(]3[)]/, /Renamed [(]2[)]/]) {
  await page.getByRole("heading", { name: heading }).waitFor();
}
await page.getByText("kubectl scim holds 5d1c07e29ab34f68 -n identity").waitFor();
await looked("console-hold", {}, ["light", "dark"]);

await page.goto(`${origin}/groups`);
await looked("console-groups", { most: 900 });
await page.goto(`${origin}/groups/identity/github-platform`);
await looked();

await page.goto(`${origin}/rosters/identity/hr`);
await page.getByRole("textbox", { name: "Rows" }).fill(
  "employee_id,email,first_name,last_name,job_title,status\n1042,Ines.Carvalho@example.com,Inês,Carvalho,Data Engineer,active\n1043,,Pavel,Dvořák,Engineer,active\n",
);
await page.getByRole("button", { name: "Map them" }).click();
await page.getByText("Mapped").first().waitFor();
await looked("console-roster", { most: 1600 });

await page.goto(`${origin}/events`);
await page.getByText("34 rows: 30 people").waitFor();
await looked("console-events", { most: 900 });
for (const path of ["/holds", "/rosters", "/people/identity/nobody", "/nowhere"]) {
  await page.goto(origin + path);
  await looked();
}

content(complaints);
await browser.close();
