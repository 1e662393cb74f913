// Runs the tests of a module that was compiled with wasm-bindgen-test: `node unit.mjs MODULE.js TEST...`, by the names of its exports.
//
// Prints what cargo's own harness prints. The names of the context's functions are those of wasm-bindgen-test 0.3.80 and its runner.
import { pathToFileURL } from "node:url";

const [path, ...names] = process.argv.slice(2);
const { log, error } = console;
Object.assign(globalThis, {
  __wbgtest_og_console_log: log.bind(console),
  __wbgtest_og_console_error: error.bind(console),
  __wbg_test_invoke: (test) => test(),
});
const module = await import(pathToFileURL(path));
const context = new module.WasmBindgenTestContext(false);
for (const method of ["debug", "log", "info", "warn", "error"]) {
  const caught = module[`__wbgtest_console_${method}`];
  console[method] = (...args) => caught(args);
}
context.include_ignored(false);
context.filtered_count(0);
const good = await context.run(names.map((name) => module.__wasm[name])).catch((thrown) => error(thrown));
process.exit(good ? 0 : 1);
