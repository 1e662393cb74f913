// For Node, Deno and Bun: prints the time to the first token, loading included, and to each of the following ones, in milliseconds.
const started = performance.now();
const { mint } = await import("./subject.mjs");
const [options, count] = (globalThis.Deno?.args ?? process.argv.slice(2)).slice(-2);
const times = [];
let from = started;
for (let done = 0; done <= Number(count); done += 1) {
  const { token, expiresAt } = await mint(JSON.parse(options));
  if (!token || !(expiresAt > new Date())) throw new Error("no living token");
  const now = performance.now();
  times.push(now - from);
  from = performance.now();
}
console.log(JSON.stringify(times));
// What a client keeps open is no part of a mint.
globalThis.Deno ? Deno.exit(0) : process.exit(0);
