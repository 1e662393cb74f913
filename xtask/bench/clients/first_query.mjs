// The official npm driver: from nothing to the first row, once.
//
// The argument says what is known: `branch`, `endpoint` or `host`. Imports are not counted. Prints one line of JSON.

import { get, pool, workspace } from "./lakebase.mjs";

const env = process.env;
const known = process.argv[2];

const started = performance.now();
const options = {};
if (known !== "host") {
  const client = workspace();
  options.workspaceClient = client;
  let found;
  if (known === "branch") {
    const { endpoints } = await get(client, `projects/${env.LAKEBASE_PROJECT}/branches/${env.LAKEBASE_BRANCH}/endpoints`);
    found = endpoints.find((endpoint) => endpoint.status.endpoint_type === "ENDPOINT_TYPE_READ_WRITE");
  } else {
    found = await get(client, env.LAKEBASE_ENDPOINT);
  }
  options.endpoint = found.name;
  options.host = found.status.hosts.host;
}
const opened = pool(options);
await opened.query("select 1");
const millis = performance.now() - started;
await opened.end();
console.log(JSON.stringify({ millis }));
