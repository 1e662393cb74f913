// Cloudflare and workerd: an imported module is compiled by the platform; nothing else may compile one.
import module from "./lakebase_wasm_bg.wasm";
import { initSync } from "./lakebase_wasm.js";

initSync({ module });

export { LakebaseCredentials, mintDatabaseCredential } from "./lakebase_wasm.js";

/** The module is ready already. */
export default async function init() {}
