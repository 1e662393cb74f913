// The examples, as they are, against the emulator and the Postgres behind it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { promisify } from "node:util";
import { emulator } from "./emulator.mjs";
import { install, tool } from "./installed.mjs";
import { serve } from "./workerd.mjs";

const EXAMPLES = new URL("../../examples/", import.meta.url);
const PACKAGE = process.env.LAKEBASE_WASM_PACKAGE;
const PG = join(process.env.LAKEBASE_WASM_CLIENTS, "node_modules/pg");
// The emulator's host names exist on this machine only; the names themselves stay what TLS verifies.
const LOOPBACK = `import dns from "node:dns";
const { lookup } = dns;
dns.lookup = (name, options, done) => lookup(name.endsWith(".test") ? "127.0.0.1" : name, options, done);`;
let service, folder;

before(async () => {
  service = await emulator();
  folder = install();
  symlinkSync(PG, join(folder, "node_modules/pg"));
  const { Client } = createRequire(import.meta.url)(PG);
  const tls = { ca: readFileSync(service.ca_cert), servername: service.pg_host };
  const { password_user: user, password, database, pg_port: port } = service;
  const client = new Client({ host: "127.0.0.1", port, user, password, database, ssl: tls });
  await client.connect();
  await client.query("create table notes (id int generated always as identity, author text not null default current_user, body text)");
  await client.query("insert into notes (author, body) values ('ada', 'first'), ('ada', 'second')");
  await client.end();
});

after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await service.stop();
});

const variables = () => ({
  DATABRICKS_HOST: service.host,
  DATABRICKS_CLIENT_ID: service.client_id,
  DATABRICKS_CLIENT_SECRET: service.client_secret,
  LAKEBASE_ENDPOINT: service.endpoint,
});

/** Paths of the requests since the last call. */
const requests = async () => {
  const { requests } = await service.order("GET", "state");
  await service.order("DELETE", "requests");
  return requests.map(({ method, path }) => `${method} ${path.replace(/.*\/rest\/\w+/, "")}`).sort();
};

/** Runs an example where the package is installed. */
const run = async (program, args, name, env) => {
  copyFileSync(new URL(name, EXAMPLES), join(folder, name));
  const PATH = process.env.PATH;
  return promisify(execFile)(program, [...args, name], { cwd: folder, env: { PATH, HOME: folder, ...variables(), ...env } });
};

const worker = (more = {}) => {
  const modules = {
    "worker.js": readFileSync(new URL("worker-data-api/worker.js", EXAMPLES)),
    "lakebase-wasm": readFileSync(join(PACKAGE, "workerd.js")),
    "lakebase_wasm.js": readFileSync(join(PACKAGE, "lakebase_wasm.js")),
    "lakebase_wasm_bg.wasm": readFileSync(join(PACKAGE, "lakebase_wasm_bg.wasm")),
  };
  return serve({ modules, variables: { ...variables(), LAKEBASE_DATA_API: service.data_api, ...more } });
};

test("the worker gives rows and adds one, with one token for all requests", async () => {
  await requests();
  const { get, stop } = await worker();
  try {
    const replies = await Promise.all(Array.from({ length: 20 }, () => get()));
    for (const reply of replies) {
      assert.equal(reply.status, 200);
      assert.deepEqual(await reply.json(), [{ id: 2, author: "ada", body: "second" }, { id: 1, author: "ada", body: "first" }]);
    }
    assert.deepEqual(await requests(), [...Array(20).fill("GET /public/notes"), "POST /oidc/v1/token"]);
    const added = await get("/", { method: "POST", body: "it's \"third\"; drop table notes" });
    assert.equal(added.status, 201);
    assert.deepEqual(await added.json(), [{ id: 3, author: service.client_id, body: "it's \"third\"; drop table notes" }]);
    assert.equal((await (await get()).json()).length, 3);
    assert.equal((await get("/", { method: "DELETE" })).status, 405);
    await requests();
    await service.order("POST", "revoke");
    assert.equal((await get()).status, 200, "a refused token is replaced");
    assert.deepEqual(await requests(), ["GET /public/notes", "GET /public/notes", "POST /oidc/v1/token"]);
    await service.order("POST", "faults", { on: "data_api", times: 1, effect: { kind: "redirect", location: "http://127.0.0.1:1/" } });
    assert.equal((await get()).status, 503);
  } finally {
    await stop();
  }
});

test("the worker says why there are no rows, and no more", async () => {
  const refused = await worker({ DATABRICKS_CLIENT_SECRET: "wrong" });
  const elsewhere = await worker({ LAKEBASE_DATA_API: service.data_api.replace("databricks_postgres", "other") });
  try {
    const secret = await refused.get();
    assert.deepEqual([secret.status, await secret.json()], [503, { kind: "unauthenticated" }]);
    const path = await elsewhere.get();
    assert.deepEqual([path.status, await path.json()], [502, { code: "PGRST125" }]);
  } finally {
    await refused.stop();
    await elsewhere.stop();
  }
});

test("the Node script logs in with verified TLS", async () => {
  writeFileSync(join(folder, "loopback.mjs"), LOOPBACK);
  const args = ["--import", "./loopback.mjs"];
  const env = { PGPORT: String(service.pg_port), NODE_EXTRA_CA_CERTS: service.ca_cert };
  const { stdout } = await run(process.execPath, args, "node.mjs", env);
  assert.equal(JSON.parse(stdout).user, service.client_id);
  const untrusted = run(process.execPath, args, "node.mjs", { PGPORT: env.PGPORT });
  await assert.rejects(untrusted, (error) => /certificate/.test(error.stderr) && !error.stderr.includes(service.client_secret));
});

test("the Deno script shows a credential without its token", async () => {
  const args = [tool("deno/bin.cjs"), "run", "--no-prompt", "--check", "--node-modules-dir=manual", "--allow-net=127.0.0.1", "--allow-env"];
  const { stdout } = await run(process.execPath, args, "deno.ts", { NO_COLOR: "1" });
  const { user, host, port, database, expiresAt, ...rest } = JSON.parse(stdout);
  assert.deepEqual([user, host, port, database, rest], [service.client_id, service.pg_host, 5432, service.database, {}]);
  const left = new Date(expiresAt) - Date.now();
  assert.ok(left > 3_500_000 && left < 3_700_000, expiresAt);
  const refused = run(process.execPath, args, "deno.ts", { NO_COLOR: "1", DATABRICKS_CLIENT_SECRET: "wrong" });
  await assert.rejects(refused, (error) => error.code === 1 && /^unauthenticated \(401\): /m.test(error.stderr));
});
