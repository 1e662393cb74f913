// The official npm driver, as rows use it: found below LAKEBASE_PACKAGES, with TLS to the server that the variables name.

import dns from "node:dns";
import { createRequire } from "node:module";

const env = process.env;
const lakebase = createRequire(`${env.LAKEBASE_PACKAGES}/`)("@databricks/lakebase");

// The emulator's host names exist on loopback only. The name itself stays what TLS verifies.
const systemLookup = dns.lookup;
dns.lookup = (name, options, done) => systemLookup(name.endsWith(".test") ? "127.0.0.1" : name, options, done);

export function workspace() {
  return lakebase.getWorkspaceClient({});
}

/** An answer of the workspace's API; the package itself cannot look endpoints up. */
export function get(client, path) {
  return client.apiClient.request({
    path: `/api/2.0/postgres/${path}`,
    method: "GET",
    headers: new Headers({ Accept: "application/json" }),
    raw: false,
  });
}

export function pool(options) {
  const opened = lakebase.createLakebasePool({
    host: env.PGHOST,
    port: Number(env.PGPORT),
    database: env.PGDATABASE,
    user: env.PGUSER,
    endpoint: env.LAKEBASE_ENDPOINT,
    sslMode: "require",
    ...options,
  });
  opened.on("error", () => {});
  return opened;
}
