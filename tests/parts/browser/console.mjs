// Looks at the console as a person does, and clicks through the day on which everybody was deleted by mistake.
// What it needs comes in the environment; what isn't so ends it with an error.
import assert from "node:assert/strict";
import { accessible, browser, content, fits, kubectl, opened } from "./browser.mjs";

const { LINK, VIEWER_LINK } = process.env;
const { context, page, complaints, origin } = await opened(LINK);

// The red card leads to the hold.
const hold = page.locator(".card.bad a").filter({ hasText: "A hold waits" });
await hold.waitFor();
// The operator's counters are there with the second read.
await page.getByText(/operations took effect/).waitFor();
for (const scheme of ["light", "dark"]) {
  await page.emulateMedia({ colorScheme: scheme });
  for (const path of ["/", "/people", "/people?q=nobody-of-this-name", "/holds", "/groups", "/rosters", "/events"]) {
    await page.goto(origin + path);
    await accessible(page);
    if (scheme === "light") await fits(page);
  }
}
await page.emulateMedia({ colorScheme: "light" });

// People are found while one types; a name with markup is a name.
await page.goto(`${origin}/people`);
await page.getByRole("searchbox").pressSequentially("HOSTILE");
await page.getByText("1 person").waitFor();
await page.locator("tbody a").click();
await page.getByRole("button", { name: "Provision now" }).waitFor();
assert.equal(await page.locator("h1 b").count(), 0);
await accessible(page);
await fits(page);
await page.getByRole("button", { name: "Provision now" }).click();
await page.getByText("Provisioning was asked for.").waitFor();

// Somebody who loses the right to write while a hold is open is refused, and sees no button from then on.
const viewer = await opened(VIEWER_LINK);
await viewer.page.locator(".card.bad a").filter({ hasText: "A hold waits" }).click();
await viewer.page.getByText("kubectl scim approve").waitFor();
const id = new URL(viewer.page.url()).pathname.split("/").pop();
const late = viewer.page.locator("form.answer").filter({ has: viewer.page.getByRole("button", { name: "Approve" }) });
await late.getByRole("textbox").fill("25");
kubectl("delete", "rolebinding", "writer");
const tried = viewer.page.waitForResponse((response) => response.url().endsWith("/do"));
await late.getByRole("button").click();
assert.equal((await tried).status(), 403);
await viewer.page.getByRole("alert").waitFor();
await viewer.page.goto(`${viewer.origin}/holds/${id}`);
await viewer.page.getByText("kubectl scim approve").waitFor();
assert.equal(await viewer.page.locator("main form[method=post]").count(), 0);

// Without scripts it reads the same.
const plain = await browser.newContext({ javaScriptEnabled: false });
await plain.addCookies(await context.cookies());
const reader = await plain.newPage();
await reader.goto(`${origin}/holds/${id}?q=user-1`);
assert.match(await reader.locator("#results").innerText(), /of 25 are shown/);

// What forms of ours say, said by somebody else.
const word = async (of) => {
  await of.goto(`${new URL(of.url()).origin}/holds/${id}`);
  return of.locator("input[name=form]").first().getAttribute("value");
};
const form = { action: "reject", id, count: "25" };
const stranger = await page.request.post(`${origin}/do`, { form: { ...form, form: await word(page) }, headers: { origin: "http://evil.example.com" } });
assert.equal(stranger.status(), 403);
const guessed = await page.request.post(`${origin}/do`, { form: { ...form, form: "guess" }, headers: { origin } });
assert.equal(guessed.status(), 403);
const again = await page.request.get(LINK, { maxRedirects: 0 });
assert.equal(again.status(), 401, "the link is good once");

// The hold is opened, and its set changes before it is answered: what was not seen is not approved.
await page.goto(`${origin}/`);
await page.locator(".card.bad a").filter({ hasText: "A hold waits" }).click();
await page.getByRole("heading", { name: /^25 deactivations at / }).waitFor();
await page.getByText(id).first().waitFor();
await accessible(page);
await fits(page);
await page.getByRole("heading", { name: "Leaving: the account is deactivated (25)" }).waitFor();
const approve = page.locator("form.answer").filter({ has: page.getByRole("button", { name: "Approve" }) });
await approve.getByRole("textbox").fill("24");
await approve.getByRole("button").click();
await page.getByRole("alert").filter({ hasText: "24 was given" }).waitFor();
await page.goBack();
await approve.getByRole("textbox").fill("25");
kubectl("annotate", "scimuser", "user-1", "scim-operator.dev/release=true");
const renewed = await context.newPage();
await renewed.goto(`${origin}/holds`);
// It comes by itself, without reloading.
await renewed.waitForFunction(() => document.body.innerText.includes("24 deactivations"), null, { timeout: 120_000 });
await approve.getByRole("button").click();
await page.getByRole("alert").filter({ hasText: /25 was given|there is no hold/ }).waitFor();

// The rest is rejected. That it is, stays to be read when the page changes, and is no news when it is opened again; and no other
// page says any longer that a hold waits.
const other = await context.newPage();
await other.goto(`${origin}/people`);
assert.equal(await other.locator("#held").innerText(), "1");
await renewed.locator("main td a").click();
const reject = renewed.locator("form.answer").filter({ has: renewed.getByRole("button", { name: "Reject" }) });
await reject.getByRole("textbox").fill("24");
await reject.getByRole("button").click();
await renewed.getByText("The hold is rejected").waitFor();
await renewed.getByText("Nothing is held.").waitFor();
assert.ok(await renewed.getByText("The hold is rejected").isVisible());
assert.equal(new URL(renewed.url()).search, "");
await other.locator("#held").waitFor({ state: "hidden" });

content(complaints);
await browser.close();
