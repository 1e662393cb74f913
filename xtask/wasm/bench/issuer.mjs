// A workspace in a process of its own: answers at once, and counts. Asked over IPC for its counts, which start anew then.
import { createServer } from "node:http";

let counts = { requests: 0, mints: 0 };
const server = createServer(async (request, response) => {
  for await (const _ of request);
  counts.requests += 1;
  const send = (status, value) => {
    const body = JSON.stringify(value);
    response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) }).end(body);
  };
  const { authorization = "" } = request.headers;
  const host = `http://${request.headers.host}`;
  if (request.url === "/oidc/.well-known/oauth-authorization-server") {
    return send(200, { issuer: `${host}/oidc`, token_endpoint: `${host}/oidc/v1/token`, authorization_endpoint: `${host}/oidc/v1/authorize` });
  }
  if (request.url === "/oidc/v1/token" && authorization.startsWith("Basic ")) {
    return send(200, { access_token: "ws-1", token_type: "Bearer", expires_in: 3600 });
  }
  if (request.url === "/api/2.0/postgres/credentials" && authorization === "Bearer ws-1") {
    counts.mints += 1;
    return send(200, { token: `db-${counts.mints}`, expire_time: new Date(Date.now() + 3600_000).toISOString() });
  }
  send(404, { error_code: "NOT_FOUND", message: `nothing at ${request.url}` });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => process.send({ host: `http://127.0.0.1:${server.address().port}` }));
process.on("message", () => {
  process.send(counts);
  counts = { requests: 0, mints: 0 };
});
process.on("disconnect", () => process.exit(0));
