// Node: a pool of `pg` whose logins use credentials that are minted and refreshed on use.
//
// npm install lakebase-wasm pg
// DATABRICKS_HOST=… DATABRICKS_CLIENT_ID=… DATABRICKS_CLIENT_SECRET=… LAKEBASE_ENDPOINT=… node node.mjs
import { LakebaseCredentials } from "lakebase-wasm";
import pg from "pg";

const { env } = process;
const credentials = new LakebaseCredentials({
  host: env.DATABRICKS_HOST,
  clientId: env.DATABRICKS_CLIENT_ID,
  clientSecret: env.DATABRICKS_CLIENT_SECRET,
  endpoint: env.LAKEBASE_ENDPOINT,
});
const { user, host, port, database } = await credentials.credential();
const pool = new pg.Pool({
  user,
  host,
  port: Number(env.PGPORT ?? port),
  database,
  // Asked at every login; the token at hand unless it is about to expire.
  password: async () => (await credentials.credential()).token,
  // The certificate is verified, for this host name.
  ssl: { rejectUnauthorized: true },
  max: 5,
});
const { rows } = await pool.query("select current_user as \"user\", now() as \"at\"");
console.log(JSON.stringify(rows[0]));
await pool.end();
