// The package in this very Node: what it sends, what it gives, and that bad input is always an error.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { ENDPOINT, ID, SECRET, issuer } from "./issuer.mjs";

const folder = pathToFileURL(`${process.env.LAKEBASE_WASM_PACKAGE}/`);
const whole = await import(new URL("node.js", folder));
const small = await import(new URL("mint.node.js", folder));
const { LakebaseCredentials } = whole;

for (const [name, { mintDatabaseCredential }] of Object.entries({ whole, small })) {
  test(`${name}: mints with two requests`, async () => {
    const workspace = await issuer();
    const minted = await mintDatabaseCredential(workspace.options);
    assert.deepEqual([minted.token, minted.endpoint, minted.user], ["db-1", ENDPOINT, ID]);
    assert.ok(minted.expiresAt instanceof Date && minted.expiresAt > Date.now() + 3500_000);
    assert.deepEqual(workspace.seen, { oauth: 1, mints: 1, wrong: [] });
    await workspace.close();
  });

  test(`${name}: bad options are errors, never hang and never quote a secret`, async () => {
    const good = { host: "http://127.0.0.1:1", clientId: ID, clientSecret: SECRET, endpoint: ENDPOINT };
    const throwing = { ...good, get host() { throw new Error(SECRET); } };
    const table = [
      undefined, null, 1, "x", [], {}, () => {}, throwing, new Proxy({}, { get() { throw SECRET; } }),
      { ...good, host: "" }, { ...good, host: 1 }, { ...good, host: "http://w.example" }, { ...good, host: "https://u:p@w.example" },
      { ...good, clientId: undefined }, { ...good, clientSecret: "" }, { ...good, clientSecret: Symbol("s") }, { ...good, token: "t" },
      { ...good, endpoint: "x" }, { ...good, endpoint: undefined }, { ...good, project: "p" }, { ...good, endpoint: {} },
      { ...good, ttl: 1 }, { ...good, ttl: NaN }, { ...good, ttl: -1 }, { ...good, ttl: Infinity }, { ...good, ttl: "600" },
      { ...good, timeout: 0 }, { ...good, claims: {} }, { ...good, claims: [1] }, { ...good, claims: [{ permissionSet: "R", tables: [1] }] },
      { ...good, database: "" }, { ...good, signal: {} }, { ...good, readOnly: "yes" }, { ...good, pgHost: "a b" },
      { host: good.host, endpoint: ENDPOINT, token: "é" }, { host: good.host, endpoint: ENDPOINT, tokenProvider: "t" },
    ];
    for (const options of table) {
      await assert.rejects(mintDatabaseCredential(options), (error) => {
        assert.ok(error instanceof Error && error.kind === "config", `${error}`);
        assert.ok(!`${error} ${JSON.stringify(error)}`.includes("sécret"), `${error}`);
        return true;
      });
    }
  });

  test(`${name}: refusals of the service`, async () => {
    const table = [
      [{ status: 401, body: { message: "no" } }, "unauthenticated", 401],
      [{ status: 429, headers: { "retry-after": "7" } }, "throttled", 429, 7],
      [{ status: 404, body: { error_code: "NOT_FOUND", message: "gone" } }, "not_found", 404],
      [{ status: 503, body: "<html>" }, "unavailable", 503],
      [{ status: 302, headers: { location: "http://127.0.0.1:1/" } }, "protocol", 302],
      [{ status: 200, body: "<html>" }, "protocol"],
      [{ reply: { expire_time: undefined } }, "protocol"],
      [{ reply: { token: "" } }, "protocol"],
    ];
    for (const [script, kind, status, retryAfter] of table) {
      const workspace = await issuer({ mint: () => script });
      await assert.rejects(mintDatabaseCredential(workspace.options), { name: "LakebaseError", kind, ...(status && { status }), ...(retryAfter && { retryAfter }) });
      await workspace.close();
    }
  });

  test(`${name}: what was sent to the service is not repeated when it quotes it`, async () => {
    const mint = (_, { headers }) => ({ status: 403, body: { message: `no ${SECRET} ${headers.authorization} here` } });
    const workspace = await issuer({ mint });
    await assert.rejects(mintDatabaseCredential(workspace.options), ({ message }) => /answered 403/.test(message) && !/sécret|ü|ws-\d/.test(message));
    await workspace.close();
  });

  test(`${name}: a service that hangs, and a caller that gives up`, async () => {
    const workspace = await issuer({ mint: () => ({ hang: true }) });
    await assert.rejects(mintDatabaseCredential({ ...workspace.options, timeout: 100 }), { kind: "timed_out" });
    const signal = AbortSignal.timeout(50);
    await assert.rejects(mintDatabaseCredential({ ...workspace.options, signal }), { kind: "timed_out" });
    await workspace.close();
    await assert.rejects(mintDatabaseCredential(workspace.options), { kind: "unavailable" });
  });
}

test("a provider that hangs is given up, even where nothing else keeps the program running", async () => {
  const options = `{ host: "https://localhost", endpoint: "${ENDPOINT}", timeout: 100, tokenProvider: () => new Promise(() => {}) }`;
  const script = `import { mintDatabaseCredential as mint } from "${new URL("mint.node.js", folder)}";
    await mint(${options}).catch(({ kind }) => console.log(kind));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
  assert.equal(stdout, "timed_out\n");
});

test("the text of the module is read without Buffer, too", async () => {
  const script = `delete globalThis.Buffer;
    const { mintDatabaseCredential: mint } = await import("${new URL("mint.node.js", folder)}");
    await mint({}).catch(({ kind }) => console.log(kind));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
  assert.equal(stdout, "config\n");
});

for (const [name, expected] of [
  ["lakebase_wasm.js", { user: "-", host: "-", port: 5432, database: "databricks_postgres" }],
  ["lakebase_mint.js", { user: "-", endpoint: ENDPOINT }],
]) {
  test(`${name}: a rehearsal goes to its end`, async () => {
    const { rehearse } = await import(new URL(name, folder));
    const { token, expiresAt, ...rest } = await rehearse({ host: "https://localhost", clientId: "-", clientSecret: "-", endpoint: ENDPOINT });
    assert.deepEqual([token, expiresAt, rest], ["-", new Date("2000-01-01T01:00:00Z"), expected]);
    await assert.rejects(rehearse({}), { kind: "config" });
  });
}

test("concurrent callers cause one mint and share its outcome", async () => {
  const workspace = await issuer({ delay: 50 });
  const credentials = new LakebaseCredentials(workspace.options);
  const logins = await Promise.all(Array.from({ length: 40 }, () => credentials.credential()));
  assert.deepEqual(new Set(logins.map((login) => login.token)), new Set(["db-1"]));
  const { user, host, port, database } = logins[0];
  assert.deepEqual({ user, host, port, database }, { user: ID, host: "ep-1.database.example", port: 5432, database: "databricks_postgres" });
  assert.equal(await credentials.connectionString(), `postgresql://${ID}:db-1@ep-1.database.example:5432/databricks_postgres?sslmode=verify-full`);
  assert.deepEqual(workspace.seen, { oauth: 1, mints: 1, wrong: [] });
  credentials.invalidate("another");
  assert.equal((await credentials.credential()).token, "db-1");
  credentials.invalidate("db-1");
  assert.equal((await credentials.credential()).token, "db-2");
  await workspace.close();
});

test("workspace tokens are shared, too, and renewed when they are refused", async () => {
  const workspace = await issuer();
  const credentials = new LakebaseCredentials(workspace.options);
  const tokens = await Promise.all(Array.from({ length: 40 }, () => credentials.workspaceToken()));
  assert.deepEqual(new Set(tokens), new Set(["ws-1"]));
  await credentials.credential();
  assert.deepEqual(workspace.seen, { oauth: 1, mints: 1, wrong: [] });
  credentials.invalidate("ws-0");
  assert.equal(await credentials.workspaceToken(), "ws-1");
  credentials.invalidate("ws-1");
  assert.equal(await credentials.workspaceToken({}), "ws-2");
  await assert.rejects(credentials.workspaceToken(1), { kind: "config" });
  await assert.rejects(credentials.workspaceToken({ signal: AbortSignal.abort() }), { kind: "timed_out" });

  const { host, endpoint } = workspace.options;
  const given = { host, endpoint, pgHost: "pg.example", user: "ada" };
  assert.equal(await new LakebaseCredentials({ ...given, token: "mine" }).workspaceToken(), "mine");
  const asked = new LakebaseCredentials({ ...given, tokenProvider: async () => "theirs" });
  assert.equal(await asked.workspaceToken(), "theirs");
  const silent = new LakebaseCredentials({ ...given, timeout: 100, tokenProvider: () => new Promise(() => {}) });
  await assert.rejects(silent.workspaceToken(), { kind: "timed_out" });
  const refused = new LakebaseCredentials({ ...workspace.options, clientSecret: "wrong" });
  for (let i = 0; i < 3; i += 1) await assert.rejects(refused.workspaceToken(), { kind: "unauthenticated", status: 401 });
  assert.equal(workspace.seen.oauth, 3, "one request for three refusals");
  await workspace.close();
});

test("an id token is exchanged, a new one each time, and never quoted", async () => {
  const workspace = await issuer();
  const { host, endpoint } = workspace.options;
  let asked = 0;
  const oidcToken = async () => `id.${(asked += 1)}+x`;
  const minted = await small.mintDatabaseCredential({ host, endpoint, oidcToken, clientId: ID });
  assert.deepEqual([minted.token, minted.user], ["db-1", ID]);
  assert.deepEqual(workspace.seen.exchanged, [["id.1+x", ID]]);
  const credentials = new LakebaseCredentials({ host, endpoint, oidcToken, pgHost: "pg.example" });
  const logins = await Promise.all(Array.from({ length: 40 }, () => credentials.credential()));
  assert.deepEqual(new Set(logins.map((login) => login.user)), new Set(["ada@example.com"]));
  assert.deepEqual(workspace.seen.exchanged[1], ["id.2+x", null], "one exchange for all, without a client id");
  assert.equal(workspace.seen.exchanged.length, 2);
  assert.equal(await credentials.workspaceToken(), "ws-2");
  credentials.invalidate("ws-2");
  assert.equal(await credentials.workspaceToken(), "ws-3");
  assert.deepEqual(workspace.seen.exchanged[2], ["id.3+x", null]);
  assert.deepEqual(workspace.seen.wrong, []);

  const refused = new LakebaseCredentials({ host, endpoint, oidcToken: () => "expired-id-token", clientId: ID });
  await assert.rejects(refused.workspaceToken(), (error) => {
    assert.deepEqual([error.kind, error.status], ["unauthenticated", 400]);
    assert.match(error.message, /oidcToken/);
    return !`${error}`.includes("expired-id-token");
  });
  const silent = new LakebaseCredentials({ host, endpoint, timeout: 100, oidcToken: () => new Promise(() => {}) });
  await assert.rejects(silent.workspaceToken(), { kind: "timed_out" });
  const broken = new LakebaseCredentials({ host, endpoint, oidcToken: () => { throw new Error(SECRET); } });
  await assert.rejects(broken.workspaceToken(), (error) => error.kind === "unavailable" && !`${error}`.includes("sécret"));
  await workspace.close();
});

test("a failure is shared, cools down, and passes", async () => {
  const workspace = await issuer({ mint: (n) => (n === 1 ? { status: 503 } : undefined) });
  const credentials = new LakebaseCredentials(workspace.options);
  for (let i = 0; i < 5; i += 1) await assert.rejects(credentials.credential(), { kind: "unavailable", status: 503 });
  assert.equal(workspace.seen.mints, 1);
  let login;
  for (let i = 0; i < 100 && !login; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    login = await credentials.credential().catch(() => undefined);
  }
  assert.equal(login.token, "db-2");
  await workspace.close();
});

test("a refused workspace token is replaced once; providers are asked", async () => {
  const workspace = await issuer({ mint: (n) => (n === 1 ? { status: 401 } : undefined) });
  const credentials = new LakebaseCredentials(workspace.options);
  assert.equal((await credentials.credential()).token, "db-2");
  assert.equal(workspace.seen.oauth, 2);
  const { host, endpoint } = workspace.options;
  let asked = 0;
  const tokenProvider = async () => `ws-${(asked += 1)}`;
  const provided = new LakebaseCredentials({ host, endpoint, tokenProvider, user: "ada", pgHost: "pg.example" });
  assert.equal((await provided.credential()).user, "ada");
  assert.ok(asked > 0);
  const broken = new LakebaseCredentials({ host, endpoint, tokenProvider: () => { throw new Error(SECRET); }, user: "ada" });
  await assert.rejects(broken.credential(), (error) => error.kind === "unavailable" && !`${error}`.includes("sécret"));
  await workspace.close();
});
