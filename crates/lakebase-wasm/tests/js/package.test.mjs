// The tarball: installed, in Node, and judged.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { runInstalled } from "./installed.mjs";

const { resolve } = createRequire(join(process.env.LAKEBASE_WASM_BUNDLERS, "node_modules/"));

test("the installed package mints in Node", () => runInstalled(process.execPath, []));

test("publint has no remark", async () => {
  const { publint } = await import(pathToFileURL(resolve("publint")));
  const { buffer } = Uint8Array.from(readFileSync(process.env.LAKEBASE_WASM_TARBALL));
  const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true });
  assert.equal(pkg.name, "lakebase-wasm");
  assert.deepEqual(messages, []);
});
