// One run of one subject in one runtime, always in a new process: time to the first token, then of further mints, in milliseconds.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { readFileSync } from "node:fs";
import { serve } from "../../../crates/lakebase-wasm/tests/js/workerd.mjs";

const TOOLS = process.env.LAKEBASE_WASM_TOOLS;
const here = (name) => readFileSync(new URL(name, import.meta.url));
const PROGRAMS = {
  node: [process.execPath, []],
  deno: [join(TOOLS, `node_modules/@deno/${process.platform}-${process.arch}${process.platform === "linux" ? "-glibc" : ""}/deno`), ["run", "--no-prompt", "--allow-all", "--no-config"]],
  bun: [join(TOOLS, `node_modules/@oven/bun-${process.platform}-${process.arch}/bin/bun`), []],
};
/** A subject that needs longer is broken. */
const LIMIT = 60_000;

export const RUNTIMES = ["workerd", ...Object.keys(PROGRAMS)];

/** Times of the first mint and of `warm` more. */
export async function run(runtime, subject, options, warm) {
  return runtime === "workerd" ? worker(subject, options, warm) : script(runtime, subject, options, warm);
}

/** From the first request in to its token out; compiling the module is a part of workerd's start. */
async function worker(subject, options, warm) {
  const modules = { "worker.mjs": here("worker.mjs"), ...subject.modules("workerd") };
  const { port, stop } = await serve({ modules, variables: { OPTIONS: JSON.stringify(options) } });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const times = [];
    for (let done = 0; done <= warm; done += 1) {
      const from = performance.now();
      const body = await get(port, agent);
      times.push(performance.now() - from);
      if (!JSON.parse(body).token) throw new Error("no token");
    }
    return times;
  } finally {
    agent.destroy();
    await stop();
  }
}

function get(port, agent) {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, agent, timeout: LIMIT }, async (reply) => {
      let body = "";
      for await (const chunk of reply.setEncoding("utf8")) body += chunk;
      reply.statusCode === 200 ? resolve(body) : reject(new Error(body));
    });
    sent.on("timeout", () => sent.destroy(new Error("no answer")));
    sent.on("error", reject).end();
  });
}

/** From the script's first line to the token: loading and compiling are a part of it. */
async function script(runtime, subject, options, warm) {
  const folder = mkdtempSync(join(tmpdir(), "lakebase-bench-"));
  try {
    const modules = { "script.mjs": here("script.mjs"), "package.json": '{"type":"module"}', ...subject.modules(runtime) };
    for (const [name, contents] of Object.entries(modules)) writeFileSync(join(folder, name), contents);
    const [program, flags] = PROGRAMS[runtime];
    const args = [...flags, "script.mjs", JSON.stringify(options), String(warm)];
    const { stdout } = await promisify(execFile)(program, args, { cwd: folder, timeout: LIMIT });
    return JSON.parse(stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
