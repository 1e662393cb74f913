// The refresh scenarios that every runtime plays, here on the cache of this package: compiled to wasm, in Node and in workerd.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { pathToFileURL } from "node:url";
import { serve } from "./workerd.mjs";

const FOLDER = process.env.LAKEBASE_WASM_SCENARIOS;
const read = (name) => readFileSync(join(FOLDER, name));
const WORKER = `
import module from "./scenarios_bg.wasm";
import { cases, initSync, play } from "./scenarios.js";
initSync({ module });
export default {
  async fetch(request) {
    const path = new URL(request.url).pathname;
    if (path === "/cases") return new Response(cases());
    try {
      await play(Number(path.slice(1)));
      return new Response("held");
    } catch (error) {
      return new Response(String(error), { status: 599 });
    }
  },
};`;

const { cases, initSync, play } = await import(pathToFileURL(join(FOLDER, "scenarios.js")));
initSync({ module: read("scenarios_bg.wasm") });
const all = JSON.parse(cases());
const here = all.map((one, index) => ({ ...one, index })).filter(({ leftOut }) => !leftOut);

test("few cases are left out, each with a reason", (t) => {
  const leftOut = all.filter(({ leftOut }) => leftOut);
  for (const { name, leftOut: reason } of leftOut) t.diagnostic(`left out: ${name}: ${reason}`);
  assert.equal(leftOut.length, 4);
  assert.ok(here.length >= 24, `only ${here.length} cases`);
  assert.ok(here.length > leftOut.length && leftOut.every(({ leftOut: reason }) => reason.length > 10));
});

test("a case that does not hold here is refused, and one that does not exist", async () => {
  await assert.rejects(play(all.findIndex(({ leftOut }) => leftOut)), (error) => /does not hold here/.test(error));
  await assert.rejects(play(all.length), (error) => /no such case/.test(error));
});

for (const { name, index } of here) test(`Node: ${name}`, () => play(index));

let worker;
before(async () => {
  worker = await serve({ modules: { "worker.js": WORKER, "scenarios.js": read("scenarios.js"), "scenarios_bg.wasm": read("scenarios_bg.wasm") } });
});
after(() => worker?.stop());

test("workerd has the same cases", async () => assert.deepEqual(await (await worker.get("/cases")).json(), all));

for (const { name, index } of here) {
  test(`workerd: ${name}`, async () => {
    const reply = await worker.get(`/${index}`);
    assert.equal(await reply.text(), "held");
  });
}
