// The installed package and the static page in headless Chromium, against a workspace of another origin.
import assert from "node:assert/strict";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium, page } from "./browser.mjs";
import { install } from "./installed.mjs";
import { ENDPOINT, ID, SECRET, issuer } from "./issuer.mjs";
import { site } from "./site.mjs";

const BROWSER = "/node_modules/lakebase-wasm/browser.js";
const MODULE = "/node_modules/lakebase-wasm/lakebase_wasm_bg.wasm";
let [browser, folder, web] = [];

before(async () => {
  folder = install();
  cpSync(fileURLToPath(new URL("../../examples/page", import.meta.url)), folder, { recursive: true });
  web = await site(folder);
  browser = await chromium();
});

after(async () => {
  await browser?.close();
  await web?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Options of a page: the token of its user instead of a secret. */
const user = ({ host }) => ({ host, endpoint: ENDPOINT, token: "ws-1" });

/** A blank page and a workspace with `script`; what `work` throws in the page is thrown here. */
async function within(script, body) {
  const workspace = await issuer(script);
  const blank = await page(browser, `${web.origin}/blank.html`);
  try {
    await body(blank, workspace);
    assert.deepEqual(workspace.seen.wrong, []);
  } finally {
    await blank.close();
    await workspace.close();
  }
}

/** Runs in the page: how each of the calls ended. */
const outcomes = async ({ entry, calls }) => {
  const module = await import(entry);
  await module.default();
  const ended = [];
  for (const { options, abort } of calls) {
    const signal = abort === undefined ? undefined : AbortSignal.timeout(abort);
    const given = { ...options, ...(signal && { signal }) };
    const error = await module.mintDatabaseCredential(given).then(({ token }) => ({ token }), (error) => error);
    if (!(error instanceof Error)) ended.push(error);
    else ended.push({ name: error.name, kind: error.kind, status: error.status, retryAfter: error.retryAfter, text: `${error} ${error.stack} ${JSON.stringify(error)}` });
  }
  return ended;
};

test("importing fetches scripts alone; the module is loaded once, by init", () =>
  within({}, async (blank, { seen }) => {
    const paths = () => blank.requests.map(({ pathname }) => pathname).filter((path) => path !== "/blank.html" && path !== ",");
    await blank.run((entry) => import(entry).then(() => {}), BROWSER);
    assert.deepEqual(paths().map((path) => path.split("/").at(-1)), ["browser.js", "lakebase_wasm.js"]);
    await blank.run((entry) => import(entry).then(({ default: init }) => Promise.all([init(), init(), init()])).then(() => {}), BROWSER);
    assert.deepEqual(paths().slice(2), [MODULE]);
    assert.deepEqual([seen.oauth, seen.mints], [0, 0]);
  }));

test("a module that could not be loaded is loaded by the next init", async () => {
  let refused = 0;
  const flaky = await site(folder, (path) => path === MODULE && (refused += 1) === 1);
  const blank = await page(browser, `${flaky.origin}/blank.html`);
  try {
    const ended = await blank.run(async (entry) => {
      const { default: init } = await import(entry);
      return [await init().then(() => "loaded", () => "refused"), await init().then(() => "loaded", (error) => `${error}`)];
    }, BROWSER);
    assert.deepEqual(ended, ["refused", "loaded"]);
  } finally {
    await blank.close();
    await flaky.close();
  }
});

test("40 callers cause one mint, without cookies; a refused token is replaced", () =>
  within({ delay: 50 }, async (blank, workspace) => {
    const got = await blank.run(async ({ entry, options }) => {
      document.cookie = "session=1";
      const { default: init, LakebaseCredentials } = await import(entry);
      await init();
      const credentials = new LakebaseCredentials(options);
      const logins = await Promise.all(Array.from({ length: 40 }, () => credentials.credential()));
      const left = logins[0].expiresAt instanceof Date && logins[0].expiresAt - Date.now();
      const url = await credentials.connectionString();
      credentials.invalidate("another");
      const kept = (await credentials.credential()).token;
      credentials.invalidate("db-1");
      const replaced = (await credentials.credential()).token;
      return { tokens: [...new Set(logins.map(({ token }) => token))], login: logins[0], left, url, kept, replaced };
    }, { entry: BROWSER, options: user(workspace) });
    assert.deepEqual(got.tokens, ["db-1"]);
    const { user: name, host, port, database } = got.login;
    assert.deepEqual({ name, host, port, database }, { name: "ada@example.com", host: "ep-1.database.example", port: 5432, database: "databricks_postgres" });
    assert.ok(got.left > 3500_000, `${got.left}`);
    assert.equal(got.url, "postgresql://ada%40example.com:db-1@ep-1.database.example:5432/databricks_postgres?sslmode=verify-full");
    assert.deepEqual([got.kept, got.replaced, workspace.seen.mints], ["db-1", "db-2", 2]);
  }));

for (const name of ["browser.js", "mint.browser.js"]) {
  const entry = `/node_modules/lakebase-wasm/${name}`;

  test(`${name}: mints, with a secret too`, () =>
    within({}, async (blank, workspace) => {
      const ended = await blank.run(outcomes, { entry, calls: [{ options: user(workspace) }, { options: workspace.options }] });
      assert.deepEqual(ended, [{ token: "db-1" }, { token: "db-2" }]);
    }));

  test(`${name}: refusals are errors with kind, status and wait`, async () => {
    const table = [
      [{ status: 401 }, "unauthenticated", 401],
      [{ status: 429, headers: { "retry-after": "7" } }, "throttled", 429, 7],
      [{ status: 404, body: { error_code: "NOT_FOUND", message: "gone" } }, "not_found", 404],
      [{ status: 503, body: "<html>" }, "unavailable", 503],
      // A page sees of a redirect that it is one.
      [{ status: 307, headers: { location: "http://127.0.0.1:1/" } }, "protocol", 302],
      [{ status: 200, body: "<html>" }, "protocol"],
      [{ reply: { token: "" } }, "protocol"],
    ];
    for (const [script, ...expected] of table) {
      // Whatever the service was sent, it says again; the first caller has no secret.
      const mint = (n, { headers }) => ({ body: { message: `no ${n > 1 ? SECRET : ""} ${headers.authorization}` }, ...script });
      await within({ mint }, async (blank, workspace) => {
        for (const ended of await blank.run(outcomes, { entry, calls: [{ options: user(workspace) }, { options: workspace.options }] })) {
          assert.deepEqual([ended.name, ended.kind, ended.status, ended.retryAfter].filter((value) => value !== undefined), ["LakebaseError", ...expected]);
          assert.ok(!/sécret|ü|ws-\d/.test(ended.text), ended.text);
        }
      });
    }
  });

  test(`${name}: bad options are errors that quote no secret`, () =>
    within({}, async (blank, { host }) => {
      const good = { host, clientId: ID, clientSecret: SECRET, endpoint: ENDPOINT };
      const bad = [
        { host: "" }, { host: "http://w.example" }, { host: "https://u:p@w.example" }, { clientId: "" }, { token: "t" }, { endpoint: "x" },
        { ttl: 1 }, { ttl: "600" }, { timeout: 0 }, { claims: {} }, { database: "" }, { signal: {} }, { readOnly: "yes" }, { pgHost: "a b" },
      ];
      const ended = await blank.run(outcomes, { entry, calls: bad.map((wrong) => ({ options: { ...good, ...wrong } })) });
      for (const [index, { kind, text }] of ended.entries()) {
        assert.equal(kind, "config", JSON.stringify(bad[index]));
        assert.ok(!text.includes("sécret"), text);
      }
      assert.equal(ended.length, bad.length);
    }));

  test(`${name}: a service that hangs, a caller that gives up, a workspace that is gone`, () =>
    within({ mint: () => ({ hang: true }) }, async (blank, workspace) => {
      const options = user(workspace);
      const calls = [{ options: { ...options, timeout: 100 } }, { options, abort: 50 }];
      assert.deepEqual((await blank.run(outcomes, { entry, calls })).map(({ kind }) => kind), ["timed_out", "timed_out"]);
      await workspace.close();
      assert.deepEqual((await blank.run(outcomes, { entry, calls: [{ options }] })).map(({ kind }) => kind), ["unavailable"]);
    }));

  test(`${name}: a workspace that does not allow the page's origin cannot be reached`, () =>
    within({ cors: false }, async (blank, workspace) => {
      const [{ kind, status, text }] = await blank.run(outcomes, { entry, calls: [{ options: user(workspace) }] });
      assert.deepEqual([kind, status], ["unavailable", undefined]);
      assert.ok(text.includes(new URL(workspace.host).host) && !text.includes("ws-1"), text);
      assert.equal(workspace.seen.mints, 0);
    }));
}

/** Fills in the static page, presses the button, and waits for `selector`. */
async function asking(script, selector, body) {
  const workspace = await issuer(script);
  const form = await page(browser, `${web.origin}/index.html`);
  try {
    await form.type("#host", workspace.host);
    await form.type("#endpoint", ENDPOINT);
    await form.type("#token", "ws-1");
    await form.click("#get");
    await form.until(selector);
    await body(form, workspace);
    assert.deepEqual(workspace.seen.wrong, []);
  } finally {
    await form.close();
    await workspace.close();
  }
}

const RESULT = "#result:not([hidden])";
const PROBLEM = "#problem:not([hidden])";
const texts = (ids) => Object.fromEntries(ids.map((id) => [id, document.getElementById(id).textContent]));

/** Where a token may not be: anything that outlives the page, or its address. */
const traces = async () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, history.state, (await indexedDB.databases()).length]);

test("the static page shows a login, and its password only on request", () =>
  asking({}, RESULT, async (form, workspace) => {
    const { expires, ...shown } = await form.run(texts, ["user", "pg-host", "database", "expires", "url", "problem"]);
    assert.match(expires, /, in (59|60) minutes$/);
    assert.deepEqual(shown, {
      user: "ada@example.com",
      "pg-host": "ep-1.database.example:5432",
      database: "databricks_postgres",
      url: "postgresql://ada%40example.com:…@ep-1.database.example:5432/databricks_postgres?sslmode=verify-full",
      problem: "",
    });
    const whole = () => form.run(() => document.documentElement.outerHTML);
    assert.doesNotMatch(await whole(), /db-1|ws-1/);
    assert.equal(await form.run(() => document.activeElement.id), "result");
    assert.equal(await form.run(() => document.querySelector("#token").value), "");
    if (process.env.LAKEBASE_SCREENSHOT) {
      const { data } = await form.send("Page.captureScreenshot", { format: "png" });
      writeFileSync(process.env.LAKEBASE_SCREENSHOT, Buffer.from(data, "base64"));
    }
    await form.click("#show");
    assert.match((await form.run(texts, ["url"])).url, /ada%40example\.com:db-1@/);
    await form.click("#show");
    assert.doesNotMatch(await whole(), /db-1/);
    assert.doesNotMatch(await form.run(traces), /ws-1|db-1/);
    await form.click("#forget");
    assert.equal(await form.run(() => document.querySelector("#result").hidden), true);
    assert.equal(await form.run(() => document.activeElement.id), "token");
    const origins = form.requests.filter(({ protocol }) => protocol !== "data:").map(({ origin }) => origin);
    assert.deepEqual(new Set(origins), new Set([web.origin, workspace.host]));
    assert.deepEqual(form.problems, []);
    assert.deepEqual([workspace.seen.oauth, workspace.seen.mints], [0, 1]);
  }));

test("the static page names every field, and what is wrong is announced", () =>
  asking({ mint: () => ({ status: 403 }) }, PROBLEM, async (form) => {
    await form.send("Accessibility.enable");
    const { nodes } = await form.send("Accessibility.getFullAXTree");
    const named = nodes.filter(({ ignored }) => !ignored).map(({ role, name }) => [role.value, name?.value ?? ""]);
    const of = (wanted) => named.filter(([role]) => role === wanted).map(([, name]) => name);
    assert.deepEqual(of("textbox"), ["Workspace", "Endpoint", "Workspace token"]);
    assert.deepEqual(of("button"), ["Get credential"]);
    assert.deepEqual([of("main").length, of("alert").length, of("status").length], [1, 1, 1]);
    assert.deepEqual(of("heading"), ["Lakebase credential"]);
  }));

test("the static page says what went wrong, and asks again", () => {
  const refused = { status: 403, body: { error_code: "PERMISSION_DENIED", message: "no grant on ws-1" } };
  return asking({ mint: (n) => (n === 1 ? refused : undefined) }, PROBLEM, async (form) => {
    const { problem } = await form.run(texts, ["problem"]);
    assert.match(problem, /403 PERMISSION_DENIED/);
    assert.doesNotMatch(problem, /ws-1/);
    assert.equal(await form.run(() => document.querySelector("#result").hidden), true);
    await form.click("#get");
    await form.until(RESULT);
    assert.equal(await form.run(() => document.querySelector("#problem").hidden), true);
  });
});

test("the static page hints at its origin where a workspace refuses it", () =>
  asking({ cors: false }, PROBLEM, async (form) => {
    const { problem } = await form.run(texts, ["problem"]);
    assert.match(problem, /could not reach .*allow requests from http:\/\/127\.0\.0\.1:\d+ \(CORS\)\?$/);
  }));
