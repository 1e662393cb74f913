// node-postgres as a subject of the row `network`: obeys lines on standard input until it ends.
//
// A line is {"tasks":N,"sql":TEXT,"limit":MILLIS}; the answer is {"millis":N,"failed":N,"why":TEXT}.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const env = process.env;
const { Pool } = createRequire(`${env.LAKEBASE_PACKAGES}/`)("pg");
// Idle connections end after ten seconds otherwise, and there is nothing to lose.
const pool = new Pool({
  host: env.PGHOST,
  port: Number(env.PGPORT),
  user: env.PGUSER,
  database: env.PGDATABASE,
  max: Number(env.BENCH_CONNECTIONS),
  idleTimeoutMillis: 0,
  keepAlive: true,
  keepAliveInitialDelayMillis: 30_000,
  ssl: true,
});
pool.on("error", () => {});

async function ask({ tasks, sql, limit }) {
  const started = performance.now();
  const task = () => {
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, limit, "no answer")));
    const answer = pool.query(sql).then(() => null, (error) => error.message);
    return Promise.race([answer, late]).finally(() => clearTimeout(timer));
  };
  const failures = (await Promise.all(Array.from({ length: tasks }, task))).filter((it) => it !== null);
  return { millis: performance.now() - started, failed: failures.length, why: failures[0] };
}

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await ask(JSON.parse(line))));
}
process.exit();
