export { default, mintDatabaseCredential } from "./index.js";
export type { CallOptions, Claim, LakebaseError, MintedCredential, MintOptions } from "./index.js";
