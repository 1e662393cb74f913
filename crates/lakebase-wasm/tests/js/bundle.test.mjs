// A program made one file by each bundler, as it mints alone in an empty folder.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import test, { after, before } from "node:test";
import { promisify } from "node:util";
import { BUN, install, mints } from "./installed.mjs";
import { issuer } from "./issuer.mjs";
import { serve } from "./workerd.mjs";

const bundler = createRequire(join(process.env.LAKEBASE_WASM_BUNDLERS, "node_modules/"));
const OUTPUTS = { esm: "program.mjs", cjs: "program.cjs" };

/** Each makes one file of `entry` in the folder `out`, without a setting that the package would need. */
const BUNDLERS = {
  esbuild: (entry, format, out) =>
    bundler("esbuild").build({ entryPoints: [entry], bundle: true, platform: "node", format, outfile: join(out, OUTPUTS[format]), logLevel: "error" }),
  tsup: (entry, format, out) =>
    bundler("tsup").build({
      entry: { program: entry }, format, outDir: out, outExtension: () => ({ js: extname(OUTPUTS[format]) }),
      noExternal: [/./], minify: true, config: false, silent: true,
    }),
  ncc: async (entry, format, out) => {
    const { code, assets } = await bundler("@vercel/ncc")(entry, { cache: false, quiet: true, esm: format === "esm" });
    writeFileSync(join(out, OUTPUTS[format]), code);
    for (const name of Object.keys(assets)) writeFileSync(join(out, name.replaceAll("/", "+")), assets[name].source);
  },
  webpack: async (entry, format, out) => {
    const module = format === "esm";
    const output = { path: out, filename: OUTPUTS[format], module, chunkFormat: module ? "module" : "commonjs" };
    const stats = await promisify(bundler("webpack"))({ entry, mode: "production", target: "node20", experiments: { outputModule: module }, output });
    assert.ok(!stats.hasErrors() && !stats.hasWarnings(), stats.toString());
  },
  rollup: async (input, format, out) => {
    const plugins = [bundler("@rollup/plugin-node-resolve").nodeResolve()];
    const bundle = await bundler("rollup").rollup({ input, plugins });
    await bundle.write({ file: join(out, OUTPUTS[format]), format });
  },
  bun: async (entry, format, out) => {
    const flags = [`--format=${format}`, `--target=${format === "esm" ? "bun" : "node"}`, `--outfile=${join(out, OUTPUTS[format])}`];
    execFileSync(BUN, ["build", entry, ...flags], { stdio: ["ignore", "ignore", "inherit"] });
  },
};
let folder;

before(() => {
  folder = install();
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** Bundles, takes the file elsewhere and runs it there. */
async function alone(name, entry, format) {
  const out = join(folder, name, entry, format);
  const elsewhere = mkdtempSync(join(tmpdir(), "lakebase-bundle-"));
  mkdirSync(out, { recursive: true });
  try {
    await BUNDLERS[name](join(folder, entry), format, out);
    copyFileSync(join(out, OUTPUTS[format]), join(elsewhere, OUTPUTS[format]));
    for (const program of [process.execPath, BUN]) await mints(elsewhere, program, [OUTPUTS[format]]);
    assert.deepEqual(readdirSync(out), [OUTPUTS[format]]);
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
}

for (const name of Object.keys(BUNDLERS)) {
  test(`${name}: imported, bundled as a module`, () => alone(name, "import.mjs", "esm"));
  test(`${name}: imported, bundled as CommonJS`, () => alone(name, "import.mjs", "cjs"));
  // Rollup alone knows no `require`.
  if (name !== "rollup") test(`${name}: required, bundled as CommonJS`, () => alone(name, "require.cjs", "cjs"));
}

const WORKER = `
import { mintDatabaseCredential } from "lakebase-wasm";
export default {
  fetch: async (_, env) => Response.json(await mintDatabaseCredential(JSON.parse(env.OPTIONS))),
};`;

test("a worker is bundled without the text of the module, and starts it", async () => {
  writeFileSync(join(folder, "worker.mjs"), WORKER);
  const modules = {};
  // As Cloudflare's own tool does it: modules of WebAssembly stay files, named beside the worker.
  const wasm = {
    name: "wasm",
    setup: (build) =>
      build.onResolve({ filter: /\.wasm$/ }, ({ path, resolveDir }) => {
        modules[path.slice("./".length)] = readFileSync(join(resolveDir, path));
        return { path, external: true };
      }),
  };
  const { outputFiles } = await bundler("esbuild").build({
    entryPoints: [join(folder, "worker.mjs")], bundle: true, format: "esm", conditions: ["workerd", "worker", "browser"], plugins: [wasm], write: false,
  });
  assert.ok(outputFiles[0].contents.length < 30_000, `${outputFiles[0].contents.length} bytes`);
  assert.deepEqual(Object.keys(modules), ["lakebase_wasm_bg.wasm"]);
  const workspace = await issuer();
  const { get, stop } = await serve({ modules: { "worker.js": outputFiles[0].contents, ...modules }, variables: { OPTIONS: JSON.stringify(workspace.options) } });
  try {
    assert.equal((await (await get()).json()).token, "db-1");
  } finally {
    await stop();
    await workspace.close();
  }
});
