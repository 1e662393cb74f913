// Rust programs with the crate as a library: the contracts in Node, and the example worker in workerd against the emulator.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { pathToFileURL } from "node:url";
import { emulator } from "./emulator.mjs";
import { serve } from "./workerd.mjs";

const { LAKEBASE_WASM_WORKER: WORKER, LAKEBASE_WASM_CONTRACTS: CONTRACTS } = process.env;
const ENTRY = `
import module from "./worker_bg.wasm";
import { initSync, fetch as handle } from "./worker.js";
initSync({ module });
export default { fetch: (request, env, context) => handle(request, env, context) };`;

let it;
before(async () => {
  it = await emulator();
});
after(() => it.stop());

/** How many requests of this path the workspace has seen, and how many tokens of Postgres it made. */
async function counts(path = "") {
  const { requests, tokens_minted } = await it.order("GET", "state");
  return { requests: requests.filter((request) => request.path === path).length, minted: tokens_minted.database ?? 0 };
}

let instances = 0;

/** Calls a function of an instance of its own, and fails when that panics, after which its promise would not settle. */
async function kept(name, ...args) {
  const module = await import(`${pathToFileURL(join(CONTRACTS, "contracts.js"))}?${(instances += 1)}`);
  await new Promise((resolve, reject) => {
    globalThis.contractBroken = (text) => reject(new Error(text));
    module.initSync({ module: readFileSync(join(CONTRACTS, "contracts_bg.wasm")) });
    module[name](...args).then(resolve, reject);
  });
}

test("a workspace keeps the contract of a credential source", () =>
  kept("credential_source", it.host, it.client_id, it.client_secret, it.token, it.endpoint));

test("a refused fetch is asked for again every time, and only then", async () => {
  const earlier = await counts("/oidc/v1/token");
  await kept("refused", it.host, it.client_id, "not-the-secret", it.endpoint, 3);
  const later = await counts("/oidc/v1/token");
  assert.deepEqual([later.requests - earlier.requests, later.minted - earlier.minted], [3, 0]);
});

test("core's cache mints once for 40 callers, and once more after a refusal", async () => {
  const earlier = await counts();
  await kept("credential_cache", it.host, it.client_id, it.client_secret, it.endpoint);
  assert.equal((await counts()).minted - earlier.minted, 2);
});

/** The example worker with the emulator's settings, changed by `variables`; logs in to the endpoint by name, as no DNS knows its host. */
async function worker(variables, body) {
  const modules = { "entry.js": ENTRY };
  const entries = readdirSync(WORKER, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((entry) => entry.isFile())) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    modules[path.slice(WORKER.length + 1)] = readFileSync(path);
  }
  const settings = {
    DATABRICKS_HOST: it.host,
    DATABRICKS_CLIENT_ID: it.client_id,
    DATABRICKS_CLIENT_SECRET: it.client_secret,
    LAKEBASE_ENDPOINT: it.endpoint,
    PGHOST: "localhost",
    PGPORT: String(it.pg_port),
    PGOPTIONS: `endpoint=${it.pg_host.split(".")[0]}`,
  };
  const ca = readFileSync(it.ca_cert, "utf8");
  const running = await serve({ modules, variables: { ...settings, ...variables }, ca });
  try {
    await body(async () => {
      const reply = await running.get();
      return { status: reply.status, ...(await reply.json()) };
    });
  } finally {
    await running.stop();
  }
}

test("the worker answers with rows, and later requests use the same token", () =>
  worker({}, async (get) => {
    const earlier = await counts();
    for (let request = 0; request < 3; request += 1) {
      const { status, user, database, schemas, message } = await get();
      assert.deepEqual([status, user, database], [200, it.client_id, it.database], message);
      const catalog = schemas.find(({ schema }) => schema === "pg_catalog");
      assert.ok(catalog.relations > 50, JSON.stringify(schemas));
    }
    assert.equal((await counts()).minted - earlier.minted, 1);
  }));

test("requests side by side cause one mint, each with its own connection", () =>
  worker({}, async (get) => {
    const earlier = await counts();
    const replies = await Promise.all(Array.from({ length: 10 }, get));
    assert.deepEqual(replies.map(({ status }) => status), Array(10).fill(200), JSON.stringify(replies));
    assert.equal((await counts()).minted - earlier.minted, 1);
  }));

test("a token that Postgres refuses is replaced once", () =>
  worker({}, async (get) => {
    const earlier = await counts();
    assert.equal((await get()).status, 200);
    await it.order("POST", "revoke");
    const { status, message } = await get();
    assert.equal(status, 200, message);
    assert.equal((await counts()).minted - earlier.minted, 2);
  }));

test("a wrong secret is an error that does not hold it", () =>
  worker({ DATABRICKS_CLIENT_SECRET: "not-the-secret" }, async (get) => {
    const reply = await get();
    assert.deepEqual([reply.status, reply.kind], [502, "unauthenticated"], reply.message);
    assert.doesNotMatch(reply.message, /not-the-secret/);
    // The isolate goes on.
    assert.equal((await get()).kind, "unauthenticated");
  }));

test("a setting that is missing is an error that names it", () =>
  worker({ DATABRICKS_CLIENT_SECRET: "" }, async (get) => {
    const reply = await get();
    assert.deepEqual([reply.status, reply.kind], [502, "config"]);
    assert.match(reply.message, /DATABRICKS_CLIENT_SECRET is not set/);
  }));

for (const [wrong, what] of Object.entries({ name: "of another host", authority: "of an unknown authority", expired: "that expired" })) {
  test(`a certificate ${what} ends the login`, () =>
    worker({}, async (get) => {
      await it.order("POST", "faults", { on: "login", effect: { kind: "certificate", wrong } });
      try {
        const reply = await get();
        assert.deepEqual([reply.status, reply.kind], [502, "postgres"], JSON.stringify(reply));
      } finally {
        await it.order("DELETE", "faults");
      }
      assert.equal((await get()).status, 200);
    }));
}

test("a server without TLS gets nothing but the question for it", async () => {
  const received = [];
  const server = createServer((socket) => {
    socket.on("data", (chunk) => {
      received.push(chunk);
      socket.write("N");
    });
    socket.on("error", () => {});
  });
  await new Promise((resolve) => server.listen(0, "localhost", resolve));
  try {
    await worker({ PGPORT: String(server.address().port) }, async (get) => {
      const reply = await get();
      assert.deepEqual([reply.status, reply.kind], [502, "postgres"], JSON.stringify(reply));
      assert.match(reply.message, /TLS/);
    });
  } finally {
    server.close();
  }
  // The message SSLRequest of the protocol.
  assert.equal(Buffer.concat(received).toString("hex"), "0000000804d2162f");
});

test("the module exports the handler and nothing of the npm package", () => {
  const exported = (...path) => WebAssembly.Module.exports(new WebAssembly.Module(readFileSync(join(...path)))).map(({ name }) => name);
  const ours = (names) => names.filter((name) => /lakebase|mint/i.test(name));
  const worker = exported(WORKER, "worker_bg.wasm");
  assert.ok(worker.includes("fetch"), worker.join());
  assert.deepEqual(ours(worker), []);
  assert.notDeepEqual(ours(exported(process.env.LAKEBASE_WASM_PACKAGE, "lakebase_wasm_bg.wasm")), []);
});
