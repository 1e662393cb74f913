// A workspace written by hand: strict about what it is sent, scriptable in how it answers.
import { createServer } from "node:http";

export const ID = "7f0c3f0e-0b6c-4f5e-9d7b-0c1a2b3c4d5e";
export const SECRET = "dose-sécret ü/+:1";
export const ENDPOINT = "projects/shop/branches/production/endpoints/primary";
const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const BASIC = Buffer.from(`${ID}:${encodeURIComponent(SECRET)}`).toString("base64");

/** What lets a page of another origin ask, and read the two headers that are looked at. */
const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "GET, POST",
  "access-control-allow-headers": "authorization, content-type, x-databricks-workspace-id",
  "access-control-expose-headers": "date, retry-after",
};

/** Starts it; `mint(n)` may return `{ status, headers, body, hang }` for the n-th mint. Without `cors`, pages of other origins are refused. */
export async function issuer({ mint = () => undefined, delay = 0, cors = true } = {}) {
  const seen = { oauth: 0, mints: 0, wrong: [] };
  // Not among the counters that tests compare as a whole.
  Object.defineProperty(seen, "exchanged", { value: [] });
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const send = (status, value, headers = {}) => {
      response.writeHead(status, { "content-type": "application/json", ...(cors && request.headers.origin && CORS), ...headers });
      response.end(typeof value === "string" ? value : JSON.stringify(value));
    };
    const check = (what, good) => good || seen.wrong.push(`${what}: ${request.method} ${request.url}`);
    if (request.method === "OPTIONS") return send(cors ? 204 : 403, "");
    check("cookie", request.headers.cookie === undefined);
    if (request.url === "/oidc/v1/token") {
      seen.oauth += 1;
      check("method", request.method === "POST");
      const form = new URLSearchParams(body);
      if (form.get("grant_type") === EXCHANGE) {
        check("no bearer", request.headers.authorization === undefined);
        check("jwt", form.get("subject_token_type") === "urn:ietf:params:oauth:token-type:jwt" && form.get("scope") === "all-apis");
        seen.exchanged.push([form.get("subject_token"), form.get("client_id")]);
        const refused = { error: "invalid_grant", error_description: `no ${form.get("subject_token")}` };
        if (form.get("subject_token").startsWith("expired")) return send(400, refused);
        return send(200, { access_token: `ws-${seen.oauth}`, token_type: "Bearer", expires_in: 3600 });
      }
      check("basic", request.headers.authorization === `Basic ${BASIC}`);
      check("form", body === "grant_type=client_credentials&scope=all-apis");
      check("type", request.headers["content-type"] === "application/x-www-form-urlencoded");
      if (request.headers.authorization !== `Basic ${BASIC}`) return send(401, { error: "invalid_client" });
      return send(200, { access_token: `ws-${seen.oauth}`, token_type: "Bearer", expires_in: 3600 });
    }
    check("bearer", /^Bearer ws-\d+$/.test(request.headers.authorization));
    if (request.url === `/api/2.0/postgres/${ENDPOINT}`) {
      return send(200, { name: ENDPOINT, status: { endpoint_type: "READ_WRITE", hosts: { host: "ep-1.database.example" } } });
    }
    if (request.url === "/api/2.0/preview/scim/v2/Me") return send(200, { userName: "ada@example.com" });
    if (request.url !== "/api/2.0/postgres/credentials") return send(404, { error_code: "NOT_FOUND", message: "no such path" });
    check("json", request.headers["content-type"] === "application/json" && JSON.parse(body).endpoint === ENDPOINT);
    seen.mints += 1;
    const number = seen.mints;
    const script = mint(number, request) ?? {};
    if (script.hang) return;
    if (delay) await new Promise((resolve) => setTimeout(resolve, delay));
    if (script.status) return send(script.status, script.body ?? {}, script.headers);
    const expire_time = new Date(Date.now() + 3600_000).toISOString();
    send(200, { token: `db-${number}`, expire_time, ...script.reply });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `http://127.0.0.1:${server.address().port}`;
  const options = { host, clientId: ID, clientSecret: SECRET, endpoint: ENDPOINT };
  const close = () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve)));
  return { host, options, seen, close, [Symbol.asyncDispose]: close };
}
