// A Cloudflare Worker over the table `public.notes`, through the Lakebase Data API: GET gives the newest rows, POST adds one.
import { LakebaseCredentials } from "lakebase-wasm";

// Made by the first request and kept: requests of one isolate share its token.
let credentials;

export default {
  async fetch(request, env, ctx) {
    credentials ??= new LakebaseCredentials({
      host: env.DATABRICKS_HOST,
      clientId: env.DATABRICKS_CLIENT_ID,
      clientSecret: env.DATABRICKS_CLIENT_SECRET,
      endpoint: env.LAKEBASE_ENDPOINT,
    });
    const table = async (query, init) => {
      for (let again = true; ; again = false) {
        const token = await credentials.workspaceToken({ waitUntil: ctx.waitUntil.bind(ctx) });
        const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", ...init?.headers };
        // Redirects are not followed: the token is for this address only.
        const reply = await fetch(`${env.LAKEBASE_DATA_API}/public/notes?${query}`, { ...init, headers, redirect: "manual" });
        if (reply.status !== 401 || !again) return reply;
        credentials.invalidate(token);
      }
    };
    try {
      const { method } = request;
      if (method === "GET") return await answer(await table("select=id,author,body&order=id.desc&limit=20"));
      if (method !== "POST") return new Response(null, { status: 405, headers: { allow: "GET, POST" } });
      const headers = { prefer: "return=representation" };
      const row = JSON.stringify({ body: await request.text() });
      return await answer(await table("select=id,author,body", { method, headers, body: row }));
    } catch (error) {
      // Says what went wrong and never quotes a secret.
      console.error(error.message);
      return Response.json({ kind: error.kind ?? "unavailable" }, { status: 503 });
    }
  },
};

/** The rows, or nothing of what the Data API says but its code: its messages name columns and roles. */
async function answer(reply) {
  const body = await reply.json();
  if (reply.ok) return Response.json(body, { status: reply.status });
  console.error(`${body.code}: ${body.message}`);
  return Response.json({ code: body.code }, { status: 502 });
}
