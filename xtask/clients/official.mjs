// The official npm driver, unmodified, against the emulator.
//
// Reads the emulator's ready line from LAKEBASE_EMULATOR, finds the package below LAKEBASE_PACKAGES, trusts the emulator's certificate authority through
// NODE_EXTRA_CA_CERTS, and ends with `N passed, N failed`.

import assert from "node:assert/strict";
import dns from "node:dns";
import { createRequire } from "node:module";

const emulator = JSON.parse(process.env.LAKEBASE_EMULATOR);
const require = createRequire(`${process.env.LAKEBASE_PACKAGES}/`);
const lakebase = require("@databricks/lakebase");

// The emulator's host names exist on loopback only. The name itself stays what TLS verifies.
const systemLookup = dns.lookup;
dns.lookup = (name, options, done) => {
  const local = name.endsWith(".test") || name.endsWith(".example.com");
  return systemLookup(local ? "127.0.0.1" : name, options, done);
};

process.env.DATABRICKS_HOST = emulator.host;
process.env.DATABRICKS_CLIENT_ID = emulator.client_id;
process.env.DATABRICKS_CLIENT_SECRET = emulator.client_secret;

const client = lakebase.getWorkspaceClient({});
const { status } = await client.apiClient.request({
  path: `/api/2.0/postgres/${emulator.endpoint}`,
  method: "GET",
  headers: new Headers({ Accept: "application/json" }),
  raw: false,
});

function pool(options = {}) {
  return lakebase.createLakebasePool({
    host: status.hosts.host,
    port: emulator.pg_port,
    database: emulator.database,
    endpoint: emulator.endpoint,
    sslMode: "require",
    max: 3,
    ...options,
  });
}

async function withPool(options, use) {
  const opened = pool(options);
  opened.on("error", () => {});
  try {
    return await use(opened);
  } finally {
    await opened.end();
  }
}

const tests = {
  "a credential is minted": async () => {
    const credential = await lakebase.generateDatabaseCredential(client, { endpoint: emulator.endpoint });
    assert.ok(credential.token);
    assert.ok(Date.parse(credential.expire_time) > Date.now());
  },
  "a person's name is looked up": async () => {
    assert.equal(await lakebase.getUsernameWithApiLookup({}), emulator.client_id);
  },
  "a pool logs in with tokens": () =>
    withPool({}, async (opened) => {
      const queries = Array.from({ length: 8 }, () => opened.query("select current_user as who, 1 as one"));
      for (const { rows } of await Promise.all(queries)) {
        assert.deepEqual(rows, [{ who: emulator.client_id, one: 1 }]);
      }
    }),
  "a native password is accepted": () =>
    withPool({ user: emulator.password_user, password: emulator.password }, async (opened) => {
      const { rows } = await opened.query("select 1 as one");
      assert.equal(rows[0].one, 1);
    }),
  "a wrong password is refused": () =>
    withPool({ password: "not-a-token" }, (opened) =>
      assert.rejects(opened.query("select 1"), (error) => error.code === "28P01")),
  "another host name fails verification": () =>
    withPool({ host: "wrong.example.com" }, (opened) =>
      assert.rejects(opened.query("select 1"), (error) => error.code === "ERR_TLS_CERT_ALTNAME_INVALID")),
};

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
    console.log(`ok     ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}: ${error.stack}`);
  }
}
console.log(`${Object.keys(tests).length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
