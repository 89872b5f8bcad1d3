// The pages of people, groups and rosters as a person uses them: what is read at the server, what is tried, what is refused.
import assert from "node:assert/strict";
import { accessible, browser, content, fits, kubectl, opened } from "./browser.mjs";

const { LINK, VIEWER_LINK, NAMESPACE } = process.env;
const { context, page, complaints, origin } = await opened(LINK);
const at = (path) => `${origin}${path.replace("~", NAMESPACE)}`;

// The operator's own counters: a plot, as soon as two samples are there. It comes by itself.
await page.getByText(/operations took effect/).waitFor();
await accessible(page);
await fits(page);

// People of a group; the list, and the CSV of what it shows.
await page.goto(at("/people?group=~/platform"));
await page.getByText("2 people").waitFor();
await page.getByRole("combobox", { name: "Group" }).waitFor();
await accessible(page);
const csv = await page.request.get(at("/people.csv?group=~/platform"));
assert.equal((await csv.text()).trim().split("\n").length, 3);
assert.match(csv.headers()["content-disposition"], /attachment/);

// Sorted by a heading, and by another one; a search keeps the order.
await page.goto(at("/people"));
await page.getByRole("columnheader", { name: "Last change" }).getByRole("link").click();
await page.locator("th[aria-sort=descending]").waitFor();
await page.getByRole("columnheader", { name: "userName" }).getByRole("link").click();
await page.locator("th[aria-sort=ascending]").waitFor();
await accessible(page);
await page.getByRole("searchbox").pressSequentially("person-");
await page.getByText("25 people").waitFor();
const sorted = await page.locator("tbody tr td:first-child").allInnerTexts();
assert.deepEqual(sorted, sorted.toSorted());
assert.equal(new URL(page.url()).search, "?q=person-&sort=name");

// Whoever goes through a list by keyboard stays where they are when something changes.
const row = page.locator("tbody a").first();
await row.focus();
const address = await row.getAttribute("href");
const fresh = page.waitForResponse((response) => response.url().includes("/people?"));
kubectl("annotate", "scimuser", "ada", `looked-at=${Date.now()}`, "--overwrite");
await fresh;
await page.waitForTimeout(300);
assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), address);
await page.keyboard.press("Tab");
assert.notEqual(await page.evaluate(() => document.activeElement.tagName), "BODY");

// What the server has is read when somebody asks for it, and shown beside what is declared.
await page.goto(at("/people/~/ada"));
assert.equal(await page.locator("#server").count(), 0, "nothing is read by itself");
// Why she stands as she does, as kubectl scim explain tells it.
const steps = page.getByRole("region", { name: "Step by step" });
const told = await steps.innerText();
for (const part of [/declared\s+ScimUser .*\/ada declares ada\.lovelace@example\.com/, /connection\s+jackson/, /decided\s+\w+/, /next\s+\S+/]) {
  assert.match(told, part);
}
await page.getByRole("button", { name: "Read the account at the server" }).click();
const title = page.locator("#server tr").filter({ hasText: "title" });
await title.waitFor();
assert.match(await title.innerText(), /Analyst\s+Countess\s+to be written/);
await page.getByText("1 attribute is owed.").waitFor();
await page.getByRole("link", { name: "Platform" }).waitFor();
// The audit stream tells that it was created.
await page.getByRole("region", { name: "History" }).getByText("Create").first().waitFor();
await accessible(page);
await fits(page);

// One group: who is waited for, who is unknown, who is in it.
await page.goto(at("/groups/~/platform"));
await page.getByText("ScimUser nobody").waitFor();
assert.match(await page.getByRole("region", { name: "Step by step" }).innerText(), /members\s+3 declared, 2 in the group, 1 waited for/);
await page.getByRole("button", { name: "Read the members at the server" }).click();
await page.locator("#server").waitFor();
await accessible(page);
await fits(page);
await page.getByRole("button", { name: "Provision now" }).click();
await page.getByText("Provisioning was asked for.").waitFor();

// A row is tried against the roster's mappings; nothing comes of it.
await page.goto(at("/rosters/~/people"));
await page.getByRole("textbox", { name: "Rows" }).fill("id,mail,title\n7,<b>kim@example.com,Engineer\n8,lee@example.com,<i>Engineer\n");
await page.getByRole("button", { name: "Map them" }).click();
await page.getByText("Mapped").first().waitFor();
assert.equal(await page.locator("main i").count(), 0);
await accessible(page);
await fits(page);
assert.equal(kubectl("get", "scimusers", "-o", "name").includes("lee"), false);

// All rosters, two of which reject rows.
await page.goto(at("/rosters"));
await page.getByRole("heading", { name: /^Rejected rows of/ }).nth(1).waitFor();
await accessible(page);
await fits(page);

// A roster's hold names everybody whose row is gone, though its status samples 20, and finds them by what people know.
await page.goto(at("/holds"));
await page.getByText("21 ScimUsers deleted").waitFor();
await page.locator("main td a").first().click();
await page.getByText("21 of 21 are shown").waitFor();
await page.getByRole("heading", { name: /the ScimUser is deleted [(]21[)]/ }).waitFor();
await page.getByRole("searchbox").pressSequentially("person-07");
await page.getByText("1 of 21 are shown").waitFor();
await page.getByRole("link", { name: "person-07@example.com" }).waitFor();
await accessible(page);
await fits(page);
const command = await page.locator("code").filter({ hasText: "kubectl scim approve" }).innerText();
assert.match(command, new RegExp(` -n ${NAMESPACE}$`));

// And all rejected rows by their reasons: read when asked for.
await page.goto(at("/rosters/~/export"));
await page.getByRole("button", { name: /Read its rows/ }).click();
await page.getByRole("heading", { name: "Gone: ScimUsers without a row (21)" }).waitFor();
assert.equal(await page.locator("#source li").count(), 21);
await page.locator("#source").getByText("export: 4, 5").or(page.locator("#source").getByText(/people[.]csv: 4, 5/)).waitFor();
await accessible(page);
await fits(page);

// It is rejected: its people stay, as the page says.
await page.goto(at("/holds"));
await page.locator("main td a").first().click();
const reject = page.locator("form.answer").filter({ has: page.getByRole("button", { name: "Reject" }) });
await reject.getByRole("textbox").fill("21");
await reject.getByRole("button").click();
await page.getByText("the ScimUsers stay, and so do their accounts").waitFor();
await page.getByText("(rejected)").waitFor();
assert.ok(await page.locator("#held").isHidden(), "nobody has to answer it");

// Events, and what was done.
await page.goto(at("/events?q=ada"));
await page.getByRole("region", { name: "History" }).getByText("ScimUser").first().waitFor();
await accessible(page);
await fits(page);

// Whatever people are called, it is text, in its place, and no page gets too wide.
for (const name of ["markup", "rtl", "emoji", "long"]) {
  await page.goto(at(`/people/~/${name}`));
  await page.getByRole("heading", { level: 1 }).waitFor();
  assert.equal(await page.locator("main img, main b, main script, h1 *:not(bdi)").count(), 0, name);
  await page.locator("summary").click();
  await accessible(page);
  await fits(page);
}
await page.goto(at("/people?q=example"));
await page.getByText("RTL", { exact: false }).first().waitFor();
assert.equal(await page.locator("td img, td b").count(), 0);
await accessible(page);
await fits(page);

// Without scripts the pages read the same, and a button works.
const plain = await browser.newContext({ javaScriptEnabled: false });
await plain.addCookies(await context.cookies());
const reader = await plain.newPage();
for (const path of ["/", "/people?group=~/platform", "/groups", "/groups/~/platform", "/rosters", "/rosters/~/people", "/holds", "/events"]) {
  const response = await reader.goto(at(path));
  assert.equal(response.status(), 200, path);
  assert.ok((await reader.locator("main").innerText()).length > 20, path);
}
await reader.goto(at("/people/~/ada"));
await reader.getByRole("button", { name: "Read the account at the server" }).click();
assert.match(await reader.locator("#server").innerText(), /1 attribute is owed/);

// Whoever may only look sees no button, and is refused all the same.
const viewer = await opened(VIEWER_LINK);
const seen = (path) => `${viewer.origin}${path.replace("~", NAMESPACE)}`;
for (const path of ["/people/~/ada", "/groups/~/platform"]) {
  await viewer.page.goto(seen(path));
  assert.equal(await viewer.page.locator("main form[method=post]").count(), 0, path);
}
await viewer.page.goto(seen("/rosters/~/people"));
const form = await viewer.page.locator("input[name=form]").first().getAttribute("value");
const headers = { origin: viewer.origin };
for (const [path, fields] of [
  ["/people/~/ada/server", {}],
  ["/groups/~/platform/server", {}],
  ["/do", { action: "sync", kind: "user", namespace: NAMESPACE, name: "ada" }],
  ["/do", { action: "suspend", kind: "user", namespace: NAMESPACE, name: "grace" }],
]) {
  const tried = await viewer.page.request.post(seen(path), { form: { form, ...fields }, headers });
  assert.equal(tried.status(), 403, path);
  const guessed = await viewer.page.request.post(seen(path), { form: { form: "guess", ...fields }, headers });
  assert.equal(guessed.status(), 403, path);
}

// A form of somebody else's reads nothing, whoever's browser sends it.
for (const path of ["/people/~/ada/server", "/groups/~/platform/server", "/rosters/~/people"]) {
  const guessed = await page.request.post(at(path), { form: { form: "guess", rows: "a\n1" }, headers: { origin } });
  assert.equal(guessed.status(), 403, path);
  assert.match(await guessed.text(), /another session of the console/, path);
}

// The rows of a roster are not read again for each of its people.
for (const name of kubectl("get", "scimusers", "-l", "scim-operator.dev/roster=export", "-o", "jsonpath={.items[*].metadata.name}").split(" ").slice(0, 6)) {
  await viewer.page.goto(seen(`/people/~/${name}`));
  assert.match(await viewer.page.getByRole("region", { name: "Step by step" }).innerText(), /row\s+(row \d+|no row) of /);
}

// Suspended and resumed by a click.
await page.goto(at("/people/~/grace"));
assert.equal(await page.getByRole("button", { name: "Resume" }).count(), 0);
for (const [button, told, suspended] of [["Suspend", "It is suspended.", "true"], ["Resume", "It is resumed.", ""]]) {
  await page.getByRole("button", { name: button }).click();
  await page.getByText(told).waitFor();
  const now = kubectl("get", "scimuser", "grace", "-o", "jsonpath={.spec.suspend}");
  assert.ok(suspended ? now === suspended : now !== "true", `${button}: ${now}`);
  // What was done stays to be read when the page changes by itself.
  await page.locator(".state").first().filter({ hasText: suspended ? "Suspended" : "Active" }).waitFor();
  assert.ok(await page.getByText(told).isVisible(), button);
  assert.equal(await page.getByRole("button", { name: "Provision now" }).count(), suspended ? 0 : 1);
}

content(complaints);
content(viewer.complaints);
await browser.close();
