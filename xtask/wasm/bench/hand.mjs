// What one writes by hand: the same two requests as `mintDatabaseCredential`, with the care that is needed and nothing else.

/** Mints one database credential. */
export async function mint({ host, clientId, clientSecret, endpoint }) {
  const login = new TextEncoder().encode(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`);
  const grant = await post(`${host}/oidc/v1/token`, {
    authorization: `Basic ${btoa(String.fromCharCode(...login))}`,
    "content-type": "application/x-www-form-urlencoded",
  }, "grant_type=client_credentials&scope=all-apis");
  const minted = await post(`${host}/api/2.0/postgres/credentials`, {
    authorization: `Bearer ${grant.access_token}`,
    "content-type": "application/json",
  }, JSON.stringify({ endpoint }));
  const expiresAt = new Date(minted.expire_time);
  if (!minted.token || Number.isNaN(expiresAt.getTime())) throw new Error("the reply lacks a token or its expiry");
  return { token: minted.token, expiresAt, endpoint, user: clientId };
}

async function post(url, headers, body) {
  const init = { method: "POST", headers: { accept: "application/json", ...headers }, body, redirect: "manual" };
  const reply = await fetch(url, { ...init, signal: AbortSignal.timeout(5000) });
  if (!reply.ok) throw new Error(`${new URL(url).pathname} answered ${reply.status}`);
  return reply.json();
}
