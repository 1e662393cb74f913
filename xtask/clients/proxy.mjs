// npm's `pg` through `lakebase proxy`: prints what it saw as one line of JSON.
import { createRequire } from "node:module";
import { once } from "node:events";

const require = createRequire(`${process.env.LAKEBASE_PACKAGES}/`);
const { Client, Pool } = require("pg");
const place = { host: "127.0.0.1", port: Number(process.env.PROXY_PORT), database: process.env.PROXY_DATABASE, user: "anybody" };

const client = new Client(place);
await client.connect();
const { rows: [{ user }] } = await client.query("select current_user as user");
const { rows: [{ sum }] } = await client.query({ name: "sum", text: "select sum(i)::int from generate_series(1, $1::int) i", values: [100] });
const failed = await client.query("select 1 / 0").then(() => "nothing", (error) => error.code);
await client.query("listen news");
const told = once(client, "notification");
const pool = new Pool({ ...place, max: 4 });
const many = await Promise.all(Array.from({ length: 10 }, () => pool.query("select generate_series(1, 100)")));
await pool.query("select pg_notify('news', 'hello')");
const [{ payload }] = await told;
await pool.end();
await client.end();

// Goodbye before hello, as in pg's own quick-disconnect test: the connection ends, and nothing fails.
const hasty = new Client(place);
const connected = hasty.connect().then(() => "connected", (error) => error.message);
const ended = once(hasty, "end").then(() => "ended", (error) => error.message);
hasty.end();
const goodbye = await Promise.race([connected, ended]);
console.log(JSON.stringify({ user, sum, rows: many.reduce((all, { rows }) => all + rows.length, 0), notified: payload, failed, goodbye }));
