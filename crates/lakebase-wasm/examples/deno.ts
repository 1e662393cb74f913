// Deno: mints a credential and shows all of it but the token.
//
// deno add npm:lakebase-wasm
// DATABRICKS_HOST=… DATABRICKS_CLIENT_ID=… DATABRICKS_CLIENT_SECRET=… LAKEBASE_ENDPOINT=… deno run --allow-net --allow-env deno.ts
import { LakebaseCredentials, type LakebaseError } from "lakebase-wasm";

const variable = (name: string): string => {
  const value = Deno.env.get(name);
  if (!value) throw new Error(`set ${name}`);
  return value;
};
const credentials = new LakebaseCredentials({
  host: variable("DATABRICKS_HOST"),
  clientId: variable("DATABRICKS_CLIENT_ID"),
  clientSecret: variable("DATABRICKS_CLIENT_SECRET"),
  endpoint: variable("LAKEBASE_ENDPOINT"),
});
try {
  const { user, host, port, database, expiresAt } = await credentials.credential();
  console.log(JSON.stringify({ user, host, port, database, expiresAt }));
} catch (error) {
  const { kind, status, message } = error as LakebaseError;
  console.error(`${kind}${status ? ` (${status})` : ""}: ${message}`);
  Deno.exit(1);
}
