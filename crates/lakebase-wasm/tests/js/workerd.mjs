// Starts workers in workerd itself, the runtime of Cloudflare Workers.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

// The program itself: npm's wrapper does not hand on file descriptors.
const SYSTEM = { linux: "linux", darwin: "darwin" }[process.platform];
const MACHINE = { x64: "64", arm64: "arm64" }[process.arch];
const WORKERD = join(process.env.LAKEBASE_WASM_TOOLS, `node_modules/@cloudflare/workerd-${SYSTEM}-${MACHINE}/bin/workerd`);

/**
 * Serves a worker made of `modules`, a map from names to contents whose first is the entry.
 *
 * It gets `variables` as bindings, reaches this machine only, and trusts the certificates of `ca` (PEM) and no others.
 */
export async function serve({ modules, variables = {}, ca }) {
  const folder = mkdtempSync(join(tmpdir(), "lakebase-workerd-"));
  for (const [name, contents] of Object.entries(modules)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), contents);
  }
  if (ca) writeFileSync(join(folder, "ca.pem"), ca);
  const parts = Object.keys(modules).map((name) => `(name = "${name}", ${name.endsWith(".wasm") ? "wasm" : "esModule"} = embed "${name}")`);
  const bindings = Object.keys(variables).map((name) => `(name = "${name}", fromEnvironment = "${name}")`);
  writeFileSync(join(folder, "config.capnp"), `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .w),
    (name = "loopback", network = (allow = ["local"]${ca ? ', tlsOptions = (trustedCertificates = [embed "ca.pem"])' : ""})),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const w :Workerd.Worker = (
  modules = [${parts.join(", ")}], compatibilityDate = "2026-10-01", globalOutbound = "loopback",
  bindings = [${bindings.join(", ")}],
);`);
  const child = spawn(WORKERD, ["serve", "--control-fd=3", join(folder, "config.capnp")], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
    env: { ...process.env, ...variables },
    detached: true,
  });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const port = await new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`workerd ended with ${code}`)));
    child.stdio[3].on("data", (line) => resolve(JSON.parse(line).port));
  });
  const get = (path = "/", init) => fetch(`http://127.0.0.1:${port}${path}`, init);
  const stop = async () => {
    process.kill(-child.pid, "SIGKILL");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  return { get, port, stop };
}
