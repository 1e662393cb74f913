// What is measured, each as a folder of modules whose `subject.mjs` exports `mint`.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const here = (name) => new URL(name, import.meta.url);
const PACKAGE = process.env.LAKEBASE_WASM_PACKAGE;
const CLIENTS = process.env.LAKEBASE_WASM_CLIENTS;
const SDK = "@databricks/sdk-experimental";

const ours = (runtime) => {
  const entry = { workerd: "mint.workerd.js", node: "mint.node.js", bun: "mint.node.js", deno: "mint.deno.js" }[runtime];
  const module = entry === "mint.node.js" ? "lakebase_mint_base64.js" : "lakebase_mint_bg.wasm";
  const names = [entry, "lakebase_mint.js", module];
  const modules = Object.fromEntries(names.map((name) => [name, readFileSync(join(PACKAGE, name))]));
  return { "subject.mjs": `export { mintDatabaseCredential as mint } from "./${entry}";`, ...modules };
};

const bundle = () => {
  const program = join(CLIENTS, "node_modules/esbuild/bin/esbuild");
  const flags = ["--bundle", "--minify", "--platform=node", "--format=esm", "--log-level=error"];
  const input = readFileSync(here("sdk.mjs"));
  const text = execFileSync(program, flags, { cwd: CLIENTS, input, maxBuffer: 64 << 20 }).toString();
  // CommonJS inside it asks for modules of the platform, for which ESM has no `require`.
  const asked = [...text.matchAll(/\(['"]([\w:/]+)['"]\)/g)].map(([, name]) => name).filter(isBuiltin);
  const names = [...new Set(asked.map((name) => name.replace(/^node:/, "")))];
  const imports = names.map((name, index) => `import * as builtin_${index} from "node:${name}";`);
  const table = names.map((name, index) => `${JSON.stringify(name)}: builtin_${index}`);
  const require = `const require = (name) => { const found = { ${table.join(", ")} }[name.replace(/^node:/, "")]; return found.default ?? found; };`;
  return [...imports, require, text].join("\n");
};

/** Name, title, and modules for a runtime. */
export function subjects() {
  const hand = readFileSync(here("hand.mjs"));
  const sdk = bundle();
  const { version } = JSON.parse(readFileSync(join(CLIENTS, "node_modules", SDK, "package.json")));
  return [
    { name: "ours", label: "lakebase-wasm/mint", modules: ours },
    { name: "floor", label: "hand-written JS", modules: () => ({ "subject.mjs": hand }) },
    { name: SDK, label: `${SDK} ${version}`, modules: () => ({ "subject.mjs": sdk }) },
  ];
}

/** Bytes of a subject's modules, and of each compressed with gzip -9. */
export function size({ modules }) {
  const parts = Object.values(modules("workerd")).map((part) => Buffer.from(part));
  const total = (lengths) => lengths.reduce((sum, length) => sum + length, 0);
  return { bytes: total(parts.map((part) => part.length)), gzip: total(parts.map((part) => gzipSync(part, { level: 9 }).length)) };
}
