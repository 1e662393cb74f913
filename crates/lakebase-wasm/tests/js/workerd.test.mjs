// The package in workerd, where requests must not wait on each other's promises.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { ENDPOINT, issuer } from "./issuer.mjs";
import { serve } from "./workerd.mjs";

const PACKAGE = process.env.LAKEBASE_WASM_PACKAGE;
const FILES = ["workerd.js", "lakebase_wasm.js", "lakebase_wasm_bg.wasm"];
const WORKER = `
import { LakebaseCredentials } from "./workerd.js";
let credentials;
export default {
  async fetch(request, env) {
    credentials ??= new LakebaseCredentials(JSON.parse(env.OPTIONS));
    const path = new URL(request.url).pathname;
    if (path === "/abandon") {
      credentials.credential().catch(() => {});
      return new Response("gone");
    }
    try {
      return Response.json(await credentials.credential());
    } catch (error) {
      return Response.json({ kind: error.kind, message: error.message }, { status: 599 });
    }
  },
};`;

const MODULES = { "worker.js": WORKER, ...Object.fromEntries(FILES.map((name) => [name, readFileSync(join(PACKAGE, name))])) };

async function within(script, options, body) {
  const workspace = await issuer(script);
  const variables = { OPTIONS: JSON.stringify({ ...workspace.options, ...options }) };
  const running = await serve({ modules: MODULES, variables });
  try {
    await body(running, workspace);
    assert.deepEqual(workspace.seen.wrong, []);
  } finally {
    await running.stop();
    await workspace.close();
  }
}

const tokens = async (replies) => {
  const bodies = await Promise.all(replies.map(async (reply) => [reply.status, await reply.json()]));
  for (const [status, body] of bodies) assert.equal(status, 200, JSON.stringify(body));
  return new Set(bodies.map(([, body]) => body.token));
};

test("40 requests on a cold cache cause one mint", () =>
  within({ delay: 300 }, {}, async ({ get }, { seen }) => {
    const replies = await Promise.all(Array.from({ length: 40 }, () => get()));
    assert.deepEqual(await tokens(replies), new Set(["db-1"]));
    assert.equal(seen.mints, 1);
  }));

test("the first client leaves; the others are answered", () =>
  within({ delay: 400 }, { timeout: 1000 }, async ({ get }, { seen }) => {
    const leaving = new AbortController();
    const first = get("/", { signal: leaving.signal }).catch(() => "left");
    while (seen.mints === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const others = Array.from({ length: 5 }, () => get());
    leaving.abort();
    assert.equal(await first, "left");
    await tokens(await Promise.all(others));
    assert.ok(seen.mints <= 2, `${seen.mints} mints`);
    await tokens([await get()]);
  }));

test("a request that ends without waiting takes nobody along", () =>
  within({ mint: (n) => (n === 1 ? { hang: true } : undefined) }, { timeout: 200 }, async ({ get }) => {
    await (await get("/abandon")).text();
    await tokens(await Promise.all(Array.from({ length: 5 }, () => get())));
  }));

test("a mint that hangs is tried again", () =>
  within({ mint: (n) => (n === 1 ? { hang: true } : undefined) }, { timeout: 200 }, async ({ get }, { seen }) => {
    assert.deepEqual(await tokens(await Promise.all(Array.from({ length: 5 }, () => get()))), new Set(["db-2"]));
    assert.equal(seen.mints, 2);
  }));

test("a refusal reaches every request as an error", () =>
  within({ mint: () => ({ status: 403, body: { error_code: "PERMISSION_DENIED", message: "no" } }) }, {}, async ({ get }, { seen }) => {
    for (const reply of await Promise.all(Array.from({ length: 5 }, () => get()))) {
      assert.equal(reply.status, 599);
      assert.equal((await reply.json()).kind, "permission_denied");
    }
    assert.equal(seen.mints, 1);
  }));

const SPY = `
export const calls = [];
for (const [object, name] of [[globalThis, "fetch"], [globalThis, "setTimeout"], [AbortSignal, "timeout"], [Date, "now"], [performance, "now"], [Math, "random"], [crypto, "getRandomValues"]]) {
  const plain = object[name];
  object[name] = (...args) => (calls.push(name), plain.apply(object, args));
}`;
const SPIED = `
import { calls } from "./spy.js";
import { mintDatabaseCredential } from "./ENTRY";
import { rehearse } from "./GLUE";
let rehearsed;
const options = { host: "https://localhost", clientId: "-", clientSecret: "-", endpoint: "${ENDPOINT}" };
rehearse(options).then(({ token }) => { rehearsed = token; }, (error) => { rehearsed = String(error); });
export default {
  async fetch(request, env) {
    const before = calls.splice(0);
    await mintDatabaseCredential(JSON.parse(env.OPTIONS));
    return Response.json({ rehearsed, before, after: calls });
  },
};`;

for (const [entry, glue] of [["workerd.js", "lakebase_wasm"], ["mint.workerd.js", "lakebase_mint"]]) {
  test(`${entry}: a worker that starts rehearses a mint to its end, sends nothing, asks no clock and nothing random`, async () => {
    const workspace = await issuer();
    const files = Object.fromEntries([entry, `${glue}.js`, `${glue}_bg.wasm`].map((name) => [name, readFileSync(join(PACKAGE, name))]));
    const modules = { "worker.js": SPIED.replace("ENTRY", entry).replace("GLUE", `${glue}.js`), "spy.js": SPY, ...files };
    const { get, stop } = await serve({ modules, variables: { OPTIONS: JSON.stringify(workspace.options) } });
    try {
      const { rehearsed, before, after } = await (await get()).json();
      assert.deepEqual([rehearsed, before], ["-", []]);
      assert.equal(after.filter((name) => name === "fetch").length, 2, `the spy sees ${after}`);
      assert.ok(after.includes("timeout") && after.includes("now"), `the spy sees ${after}`);
      assert.deepEqual(workspace.seen, { oauth: 1, mints: 1, wrong: [] });
    } finally {
      await stop();
      await workspace.close();
    }
  });
}
