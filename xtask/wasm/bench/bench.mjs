// Cold first token and warm mint of lakebase-wasm beside hand-written JavaScript and the official SDK.
//
// bench.mjs [--json] [--runs N] [--only RUNTIME]...
//
// Each round runs every subject once, in an order that turns; every run is a new process. Prints a table, or one line of JSON per
// case and subject: {"bench", "case", "subject", "unit", "values", "note"}. Ends with 1 if a subject of ours fails or sends a request more than two.
import { fork } from "node:child_process";
import { RUNTIMES, run } from "./runtimes.mjs";
import { size, subjects } from "./subjects.mjs";

/** Mints after the first one in each run; their median is the run's warm time. */
const WARM = 20;

const options = { json: false, runs: 20, only: [] };
const args = process.argv.slice(2);
while (args.length) {
  const arg = args.shift();
  if (arg === "--json") options.json = true;
  else if (arg === "--runs") options.runs = Number(args.shift());
  else if (arg === "--only") options.only.push(args.shift());
  else throw new Error(`unknown argument ${arg}`);
}
if (!Number.isInteger(options.runs) || options.runs < 1) throw new Error("--runs takes a number from 1");
const unknown = options.only.find((name) => !RUNTIMES.includes(name));
if (unknown) throw new Error(`no runtime ${unknown}; there are ${RUNTIMES.join(" ")}`);

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};

const workspace = fork(new URL("issuer.mjs", import.meta.url));
const hear = () => new Promise((resolve) => workspace.once("message", resolve));
const { host } = await hear();
const counts = async () => (workspace.send("counts"), await hear());
const login = { host, clientId: "7f0c3f0e-0b6c-4f5e-9d7b-0c1a2b3c4d5e", clientSecret: "dose-secret", endpoint: "projects/shop/branches/production/endpoints/primary" };

const measured = subjects();
const lines = [];
const say = (what, subject, unit, values, note) => lines.push({ bench: "wasm", case: what, subject: subject.name, unit, values, ...(note && { note }) });
let good = true;

for (const subject of measured) {
  const { bytes, gzip } = size(subject);
  say("size, gzip -9", subject, "bytes", [gzip], `${bytes} bytes as they are`);
}
for (const runtime of RUNTIMES.filter((name) => !options.only.length || options.only.includes(name))) {
  const results = new Map(measured.map((subject) => [subject, { cold: [], warm: [], requests: [], broken: undefined }]));
  for (let round = 0; round < options.runs; round += 1) {
    for (let place = 0; place < measured.length; place += 1) {
      const subject = measured[(round + place) % measured.length];
      const result = results.get(subject);
      if (result.broken) continue;
      try {
        const [cold, ...warm] = await run(runtime, subject, login, WARM);
        const { requests, mints } = await counts();
        result.cold.push(cold);
        result.warm.push(median(warm));
        result.requests.push(requests / mints);
      } catch (error) {
        await counts();
        result.broken = `does not mint in ${runtime}: ${error.message.split("\n").find((line) => line.trim())}`;
        if (subject.name === "ours") console.error(error);
      }
    }
  }
  for (const [subject, { cold, warm, requests, broken }] of results) {
    say(`${runtime}: first token`, subject, "ms", broken ? [] : cold, broken);
    say(`${runtime}: warm mint`, subject, "ms", broken ? [] : warm, broken);
    say(`${runtime}: requests per mint`, subject, "requests", broken ? [] : [...new Set(requests)], broken);
    if (subject.name !== measured[2].name && (broken || requests.some((count) => count !== 2))) {
      console.error(`${subject.label}: ${broken ?? "more or less than two requests for a mint"}`);
      good = false;
    }
  }
}
workspace.disconnect();

if (options.json) {
  for (const line of lines) console.log(JSON.stringify(line));
} else {
  const show = (line) => (line.values.length ? median(line.values).toFixed(line.unit === "ms" ? 2 : 0) : "–");
  console.log(`${options.runs} runs each, in turns; medians; ×: of the hand-written function's\n`);
  console.log(["".padEnd(28), ...measured.map((subject) => subject.label.padStart(40))].join(""));
  for (const what of new Set(lines.map((line) => line.case))) {
    const row = lines.filter((line) => line.case === what);
    const floor = row.find((line) => line.subject === "floor");
    const cells = row.map((line) => {
      const ratio = line.values.length && floor.values.length && line !== floor ? `${(median(line.values) / median(floor.values)).toFixed(2)} ×` : "";
      return `${show(line)} ${line.unit.padEnd(8)} ${ratio.padStart(9)}`.padStart(40);
    });
    console.log([what.padEnd(28), ...cells].join(""));
  }
  for (const note of new Set(lines.filter((line) => !line.values.length).map((line) => `${line.subject} ${line.note}`))) console.log(`\n${note}`);
}
process.exitCode = good ? 0 : 1;
