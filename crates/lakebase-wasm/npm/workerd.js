// Cloudflare and workerd: an imported module is compiled by the platform; nothing else may compile one.
import module from "./lakebase_wasm_bg.wasm";
import { initSync, rehearse } from "./lakebase_wasm.js";

initSync({ module });
// Functions are compiled when they are first called: better now than while the first request waits. Nothing is sent, and no clock is read.
rehearse({ host: "https://localhost", clientId: "-", clientSecret: "-", endpoint: "projects/p/branches/b/endpoints/e" }).catch(() => {});

export { LakebaseCredentials, mintDatabaseCredential } from "./lakebase_wasm.js";

/** The module is ready already. */
export default async function init() {}
