// Installs what would be published into an empty folder, and runs a program there.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { issuer } from "./issuer.mjs";

const SCRIPT = readFileSync(new URL("script.mjs", import.meta.url), "utf8");
const REQUIRED = SCRIPT.replace(/^import (.*) from (".*");$/gm, (_, names, from) => `const ${names.replace(" as ", ": ")} = require(${from});`);

/** A new folder where the package was installed, with the script as `import.mjs` and `require.cjs`. */
export function install() {
  const folder = mkdtempSync(join(tmpdir(), "lakebase-installed-"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  const npm = ["install", "--offline", "--no-audit", "--no-fund", "--silent", process.env.LAKEBASE_WASM_TARBALL];
  execFileSync("npm", npm, { cwd: folder, stdio: "inherit" });
  writeFileSync(join(folder, "import.mjs"), SCRIPT);
  writeFileSync(join(folder, "require.cjs"), REQUIRED);
  return folder;
}

/** Runs `program` with `args` and the script in a folder where the package was installed. */
export async function runInstalled(program, args, script = "import.mjs") {
  const folder = install();
  try {
    await mints(folder, program, [...args, script]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs what was made of the script, in `folder`, with a workspace of its own. */
export async function mints(folder, program, args) {
  const workspace = await issuer({ mint: (n) => ({ hang: n === 3 }) });
  try {
    const { stdout } = await promisify(execFile)(program, [...args, JSON.stringify(workspace.options)], { cwd: folder });
    assert.deepEqual(JSON.parse(stdout), ["db-1", "db-2", "ep-1.database.example", "unauthenticated", "timed_out"]);
    assert.deepEqual(workspace.seen.wrong, [`basic: POST /oidc/v1/token`]);
  } finally {
    await workspace.close();
  }
}

/** A program of the provisioned packages. */
export const tool = (path) => join(process.env.LAKEBASE_WASM_TOOLS, "node_modules", path);

/** Bun. */
export const BUN = tool(`@oven/bun-${process.platform}-${process.arch}/bin/bun`);
