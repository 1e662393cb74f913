// Node, Bun and whatever says nothing of itself, such as Rollup: the module is text, so that a bundle of one file has it.
import { initSync } from "./lakebase_wasm.js";
import text from "./lakebase_wasm_base64.js";

initSync({ module: globalThis.Buffer?.from(text, "base64") ?? Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0)) });

export { LakebaseCredentials, mintDatabaseCredential } from "./lakebase_wasm.js";

/** The module is ready already. */
export default async function init() {}
