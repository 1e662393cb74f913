// Deno: the module is part of the program, so that no permission to read files is needed.
import source module from "./lakebase_wasm_bg.wasm";
import { initSync } from "./lakebase_wasm.js";

initSync({ module });

export { LakebaseCredentials, mintDatabaseCredential } from "./lakebase_wasm.js";

/** The module is ready already. */
export default async function init() {}
