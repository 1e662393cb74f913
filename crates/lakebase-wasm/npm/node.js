// Node and Bun: the module lies beside this file.
import { readFileSync } from "node:fs";
import { initSync } from "./lakebase_wasm.js";

initSync({ module: readFileSync(new URL("./lakebase_wasm_bg.wasm", import.meta.url)) });

export { LakebaseCredentials, mintDatabaseCredential } from "./lakebase_wasm.js";

/** The module is ready already. */
export default async function init() {}
