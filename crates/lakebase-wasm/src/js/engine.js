// What Rust asks of the engine. Each function does a whole piece of work, because every call across the border takes longer than what it does.

/** The largest reply that is read. */
const LIMIT = 4 * 1024 * 1024;

/** In place of `fetch`: what would do as the reply to any request of a mint. */
async function rehearsed() {
  const body = JSON.stringify({
    access_token: "-",
    expires_in: 3600,
    token: "-",
    expire_time: "2000-01-01T01:00:00.000Z",
    status: { hosts: { host: "-" } },
  });
  const headers = new Headers({ date: "Sat, 01 Jan 2000 00:00:00 GMT" });
  return { status: 200, headers, arrayBuffer: async () => new TextEncoder().encode(body).buffer };
}

/**
 * One request, never more: [status, date, retryAfter, body]. Redirects are never followed, so that no secret reaches another place.
 * A `rehearsal` sends nothing.
 */
export async function send(rehearsal, controller, userAgent, method, url, authorization, workspaceId, contentType, body) {
  const headers = { accept: "application/json" };
  // An exchanged token is asked for without any.
  if (authorization) headers.authorization = authorization;
  const init = { method, headers, redirect: "manual", signal: controller.signal };
  // A browser has its own name, and cookies that must not be sent along.
  if (globalThis.navigator?.userAgent?.startsWith("Mozilla/")) init.credentials = "omit";
  else headers["user-agent"] = userAgent;
  if (workspaceId) headers["x-databricks-workspace-id"] = workspaceId;
  if (body) {
    headers["content-type"] = contentType;
    init.body = body;
  }
  const reply = await (rehearsal ? rehearsed() : fetch(url, init));
  // A browser hides everything else about it.
  if (reply.type === "opaqueredirect") return [302, null, null, new Uint8Array()];
  const buffer = await reply.arrayBuffer();
  if (buffer.byteLength > LIMIT) throw new RangeError();
  return [reply.status, reply.headers.get("date"), reply.headers.get("retry-after"), new Uint8Array(buffer)];
}

/**
 * A promise that is fulfilled after `millis`, never if engines cannot wait as long, or when its `stop` is called.
 * Unless it `keepsAlive`, programs may end before that; then it takes engines less time to make.
 */
export function alarm(millis, keepsAlive) {
  let ring;
  let silence = () => {};
  const rung = new Promise((resolve) => {
    ring = resolve;
  });
  try {
    const start = keepsAlive || !AbortSignal.timeout ? timeout : signal;
    if (millis < 2 ** 31) silence = start(ring, millis);
  } catch {
    // Refused at module scope: better not to wait than to wait for ever.
    ring();
  }
  rung.stop = () => {
    silence();
    ring();
  };
  return rung;
}

function timeout(ring, millis) {
  const timer = setTimeout(ring, millis);
  return () => clearTimeout(timer);
}

function signal(ring, millis) {
  const signal = AbortSignal.timeout(millis);
  signal.onabort = ring;
  return () => {
    signal.onabort = null;
  };
}
