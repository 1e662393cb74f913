// The official npm driver as a subject of the row `pool`: obeys lines on standard input until it ends.
//
// A line is {"operation":"acquire"|"query","tasks":N,"millis":N}; the answer is {"operations":N,"micros":N,"errors":0}.

import { createInterface } from "node:readline";
import { pool } from "./lakebase.mjs";

const connections = Number(process.env.BENCH_CONNECTIONS);
const opened = pool({ max: connections });

const operations = {
  acquire: async () => (await opened.connect()).release(),
  query: () => opened.query("select 1"),
};

async function load({ operation, tasks, millis }) {
  const run = operations[operation];
  const started = performance.now();
  let done = 0;
  const task = async () => {
    while (performance.now() - started < millis) {
      await run();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: tasks }, task));
  return { operations: done, micros: (performance.now() - started) * 1e3, errors: 0 };
}

await load({ operation: "query", tasks: connections * 2, millis: 200 });
console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await load(JSON.parse(line))));
}
await opened.end();
