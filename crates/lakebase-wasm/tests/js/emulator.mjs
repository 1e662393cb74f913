// Starts the emulator: a workspace and its Postgres.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** What it says about itself, how to ask it for its state and make things go wrong, and how to end it. */
export async function emulator() {
  const child = spawn(process.env.LAKEBASE_EMULATOR_PROGRAM, { stdio: ["pipe", "pipe", "inherit"] });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const description = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the emulator ended with ${code}`)));
    createInterface(child.stdout).once("line", (line) => resolve(JSON.parse(line)));
  });
  const order = async (method, path, body) => {
    const reply = await fetch(`${description.host}/_emulator/${path}`, { method, body: body && JSON.stringify(body) });
    if (!reply.ok) throw new Error(`${path}: ${await reply.text()}`);
    return reply.json();
  };
  const stop = async () => {
    child.stdin.end();
    await exited;
  };
  return { ...description, order, stop };
}
