// Run by other runtimes: mints through the installed package and prints what it got.
import { LakebaseCredentials, mintDatabaseCredential } from "lakebase-wasm";
import { mintDatabaseCredential as small } from "lakebase-wasm/mint";

// A function, because a bundle in CommonJS cannot wait at its top.
async function main(options) {
  const minted = await mintDatabaseCredential(options);
  const login = await new LakebaseCredentials(options).credential();
  const refused = await small({ ...options, clientSecret: "wrong" }).catch((error) => error);
  const late = await small({ ...options, timeout: 100 }).catch((error) => error);
  console.log(JSON.stringify([minted.token, login.token, login.host, refused instanceof Error && refused.kind, late.kind]));
}

main(JSON.parse((globalThis.Deno?.args ?? process.argv.slice(2)).at(-1)));
