// The official SDK for JavaScript: a new client for each mint, so that it asks for what the others ask for.
import { WorkspaceClient } from "@databricks/sdk-experimental";

/** Mints one database credential. */
export async function mint({ host, clientId, clientSecret, endpoint }) {
  const client = new WorkspaceClient({ host, clientId, clientSecret, authType: "oauth-m2m" });
  const headers = new Headers({ accept: "application/json", "content-type": "application/json" });
  const request = { path: "/api/2.0/postgres/credentials", method: "POST", headers, payload: { endpoint }, raw: false };
  const minted = await client.apiClient.request(request);
  return { token: minted.token, expiresAt: new Date(minted.expire_time), endpoint };
}
