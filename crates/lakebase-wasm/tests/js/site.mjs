// A folder as a web site on loopback.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };

/** Serves what lies below `folder`, and `/blank.html`. What `refuse(path)` is true for is answered with 503. */
export async function site(folder, refuse = () => false) {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, "http://site").pathname);
    const send = (status, type, body) => response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
    if (refuse(path)) return send(503, "text/plain", "later");
    if (path === "/blank.html") return send(200, TYPES[".html"], "<!doctype html><title>blank</title><link rel=icon href=data:,>");
    try {
      send(200, TYPES[extname(path)] ?? "application/octet-stream", await readFile(join(folder, path)));
    } catch {
      send(404, "text/plain", "nothing here");
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve)));
  return { origin: `http://127.0.0.1:${server.address().port}`, close };
}
