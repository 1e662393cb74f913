// The tarball: installed, in Node, and judged.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { runInstalled } from "./installed.mjs";

const { resolve } = createRequire(join(process.env.LAKEBASE_WASM_BUNDLERS, "node_modules/"));

test("the installed package mints in Node", () => runInstalled(process.execPath, []));

test("the installed package mints in Node where it is required", () => runInstalled(process.execPath, [], "require.cjs"));

test("publint has no remark", async () => {
  const { publint } = await import(pathToFileURL(resolve("publint")));
  const { buffer } = Uint8Array.from(readFileSync(process.env.LAKEBASE_WASM_TARBALL));
  const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true });
  assert.equal(pkg.name, "lakebase-wasm");
  assert.deepEqual(messages, []);
});

// The profile in `.attw.json`: every Node that `engines` names loads modules by `require`, which the full set of rules does not know yet.
test("attw finds types for every entry", async () => {
  const program = join(process.env.LAKEBASE_WASM_BUNDLERS, "node_modules/@arethetypeswrong/cli/dist/index.js");
  const args = [program, process.env.LAKEBASE_WASM_TARBALL, "--format", "json"];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: process.env.LAKEBASE_WASM_PACKAGE, maxBuffer: 64 << 20 });
  const { entrypoints } = JSON.parse(stdout).analysis;
  const { exports } = JSON.parse(readFileSync(join(process.env.LAKEBASE_WASM_PACKAGE, "package.json"), "utf8"));
  assert.deepEqual(Object.keys(entrypoints), Object.keys(exports));
});
