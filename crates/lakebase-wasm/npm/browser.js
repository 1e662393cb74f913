// Browsers: the module is fetched by `init`, never on import.
export { LakebaseCredentials, mintDatabaseCredential } from "./lakebase_wasm.js";

import load from "./lakebase_wasm.js";

let ready;

/** Loads the module once; await it before anything else. */
export default function init() {
  ready ??= load({ module_or_path: new URL("./lakebase_wasm_bg.wasm", import.meta.url) }).then(
    () => {},
    (error) => {
      ready = undefined;
      throw error;
    },
  );
  return ready;
}
