// The console by keyboard alone, while things change, in many tabs, and when it has ended.
import assert from "node:assert/strict";
import { applied, browser, content, focused, kubectl, opened } from "./browser.mjs";

const { LINK, LATE_LINK, CONSOLE, NAMESPACE } = process.env;
const { context, page, complaints, origin } = await opened(LINK);
const user = (name) => ({
  apiVersion: "scim-operator.dev/v1alpha1", kind: "ScimUser", metadata: { name },
  spec: { connectionRef: { name: "jackson" }, userName: `${name}@example.com` },
});
const press = async (of, key, times = 1) => {
  for (let time = 0; time < times; time++) await of.keyboard.press(key);
};
/** Tab by Tab to what has this name. */
const reach = async (of, name) => {
  for (let time = 0; time < 80; time++) {
    await press(of, "Tab");
    if ((await focused(of)).text === name) return;
  }
  assert.fail(`Tab doesn't reach ${name}`);
};

// From the first Tab to a person, and no mouse: what has the focus shows it.
await press(page, "Tab");
assert.equal((await focused(page)).text, "Skip to the content");
await press(page, "Enter");
assert.equal((await focused(page)).id, "main");
await press(page, "Shift+Tab", 5);
await reach(page, "People");
await press(page, "Enter");
await page.getByRole("heading", { name: "People" }).waitFor();
await reach(page, "Search name, e-mail or id");
await page.keyboard.type("user-1");
await page.getByText("11 people").waitFor();
await reach(page, "user-12@example.com");
assert.ok((await focused(page)).outline > 1, "the focus is to be seen");
await press(page, "Enter");
await page.getByRole("heading", { name: "user-12@example.com" }).waitFor();
await page.goBack();

// What comes and goes takes the focus from nobody, and scrolls no table back.
await page.setViewportSize({ width: 360, height: 900 });
await page.goto(`${origin}/people`);
const table = page.getByRole("region", { name: "People" });
await page.getByRole("link", { name: "user-7@example.com" }).focus();
await table.evaluate((region) => (region.scrollLeft = 60));
applied(user("a-new-one"));
await page.getByText("a-new-one@example.com").waitFor();
assert.equal((await focused(page)).text, "user-7@example.com");
assert.equal(await table.evaluate((region) => region.scrollLeft), 60);
await page.waitForTimeout(12_000);
assert.equal((await focused(page)).text, "user-7@example.com", "the counters are read every ten seconds");
kubectl("delete", "scimuser", "user-7");
await page.getByText("user-7@example.com").waitFor({ state: "detached" });
assert.equal((await focused(page)).label, "People", "the table, where the row is gone");
await page.setViewportSize({ width: 1280, height: 900 });

// The answer to an earlier search, which takes longer, is not shown.
await page.goto(`${origin}/people`);
await page.route(/[?]q=user-2$/, async (route) => {
  await new Promise((later) => setTimeout(later, 2000));
  await route.continue();
});
const slow = page.waitForResponse(/[?]q=user-2$/);
await page.getByRole("searchbox").pressSequentially("user-2", { delay: 5 });
await page.waitForRequest(/[?]q=user-2$/);
await page.getByRole("searchbox").pressSequentially("3");
await page.getByText("1 person").waitFor();
await (await slow).finished();
await page.waitForTimeout(200);
assert.match(await page.locator("#results p").first().innerText(), /^1 person/);

// Whoever reads what a search found, the keyboard in its field, sees it change; and who types on, types on.
await page.goto(`${origin}/people`);
await page.getByRole("searchbox").pressSequentially("user-2");
await page.getByText("11 people").waitFor();
kubectl("patch", "scimuser", "user-21", "--type=merge", "-p", '{"spec": {"userName": "user-21@renamed.example.com"}}');
await page.getByRole("link", { name: "user-21@renamed.example.com" }).waitFor();
assert.equal((await focused(page)).text, "Search name, e-mail or id");
await page.keyboard.type("3");
await page.getByText("1 person").waitFor();

// A list may be narrowed by what came after it was opened; what was chosen stays, and so does what it leaves out.
const narrowed = await context.newPage();
await narrowed.goto(`${origin}/people`);
await narrowed.getByRole("combobox", { name: "Connection" }).selectOption(`${NAMESPACE}/jackson`);
const stray = user("stray");
stray.spec.connectionRef.name = "nowhere";
applied(stray);
await narrowed.locator("select[name=reason] option[value=ConnectionNotFound]").waitFor({ state: "attached" });
assert.equal(await narrowed.getByRole("combobox", { name: "Connection" }).inputValue(), `${NAMESPACE}/jackson`);
assert.equal(await narrowed.getByText("stray@example.com").count(), 0);
await narrowed.getByRole("combobox", { name: "Connection" }).selectOption("");
await narrowed.getByRole("combobox", { name: "Reason" }).selectOption("ConnectionNotFound");
await narrowed.getByText("1 person").waitFor();
await narrowed.getByText("stray@example.com").waitFor();
await narrowed.close();

// More tabs than a browser opens connections: each is loaded, and each shows changes, whichever is closed.
const tabs = [];
for (let number = 0; number < 8; number++) {
  tabs.push(await context.newPage());
  await tabs[number].goto(`${origin}/people`, { timeout: 20_000 });
}
applied(user("b-new-one"));
for (const tab of [...tabs, page]) await tab.getByText(tab === page ? "1 person" : "b-new-one@example.com").first().waitFor();
await page.close();
await tabs[0].close();
applied(user("c-new-one"));
for (const tab of tabs.slice(1)) await tab.getByText("c-new-one@example.com").waitFor();

// Events are ours, and come by themselves.
const [looker, ...others] = tabs.slice(1);
await looker.goto(`${origin}/events?q=by-hand`);
await looker.getByText("0 events").waitFor();
for (const [kind, apiVersion, message] of [
  ["ScimUser", "scim-operator.dev/v1alpha1", "the server refused it"],
  ["Pod", "v1", "pulled an image"],
]) {
  applied({
    apiVersion: "v1", kind: "Event", metadata: { name: `by-hand.${kind.toLowerCase()}` }, type: "Warning", reason: "Rejected", message,
    involvedObject: { apiVersion, kind, name: "by-hand", namespace: NAMESPACE }, lastTimestamp: new Date().toISOString().replace(/[.].*/, "Z"),
  });
}
await looker.getByText("the server refused it").waitFor();
await looker.getByText("1 event", { exact: true }).waitFor();

// The page of one person is read again when that person changes, and not when others do.
await looker.goto(`${origin}/people/${NAMESPACE}/user-9`);
const readings = [];
looker.on("request", (request) => request.url().endsWith("/user-9") && readings.push(request.url()));
kubectl("patch", "scimuser", "user-10", "--type=merge", "-p", '{"spec": {"userName": "renamed-10@example.com"}}');
await others[0].getByText("renamed-10@example.com").waitFor();
kubectl("patch", "scimuser", "user-9", "--type=merge", "-p", '{"spec": {"userName": "renamed-9@example.com"}}');
await looker.getByRole("heading", { name: "renamed-9@example.com" }).waitFor();
await looker.getByText("renamed-9@example.com").nth(1).waitFor();
assert.ok(readings.length > 0);
// A button that has the focus is kept from nobody who is about to press it; what was owed is shown as soon as it has lost it.
await looker.getByRole("button", { name: "Suspend" }).focus();
kubectl("patch", "scimuser", "user-9", "--type=merge", "-p", '{"spec": {"userName": "again-9@example.com"}}');
await others[0].getByText("again-9@example.com").waitFor();
assert.equal(await looker.getByRole("heading", { level: 1 }).innerText(), "renamed-9@example.com");
await looker.getByRole("link", { name: "People", exact: true }).focus();
await looker.getByRole("heading", { name: "again-9@example.com" }).waitFor({ timeout: 5000 });
// The operator may write something about that person, or the connection, at the same time: not each time.
const unread = [];
for (let time = 0; time < 5 && !unread.includes(true); time++) {
  const before = readings.length;
  kubectl("patch", "scimuser", "user-11", "--type=merge", "-p", `{"spec": {"userName": "renamed-11-${time}@example.com"}}`);
  await others[0].getByText(`renamed-11-${time}@example.com`).waitFor();
  unread.push(readings.length === before);
}
assert.ok(unread.includes(true), "a page is read again for each change of somebody else");

// What can't be listed is told on a list that is open, as long as it is so; and what nobody of a namespace may list is no problem.
const late = await opened(LATE_LINK);
await late.page.getByText("Cluster connections aren't shown").waitFor();
await late.page.goto(`${late.origin}/people`);
await late.page.getByText("ScimGroups can't be listed").waitFor();
await late.page.getByText("again-9@example.com").waitFor();
assert.equal(await late.page.getByText("ClusterScimConnections can't be listed").count(), 0);
kubectl("create", "rolebinding", "late", "--role=viewer", `--serviceaccount=${NAMESPACE}:late`);
await late.page.getByText("ScimGroups can't be listed").waitFor({ state: "detached" });

// Once the console has ended, no page looks as if it were still true.
process.kill(Number(CONSOLE), "SIGINT");
for (const tab of [looker, ...others]) await tab.getByRole("alert").getByText("The console doesn't answer").waitFor();
assert.ok((await others[0].locator("tbody tr").count()) > 20, "what was shown is still to be read");

content(complaints);
await browser.close();
