// A page that mints with the token of whoever looks at it. Serve this folder after `npm install lakebase-wasm` in it.
import init, { LakebaseCredentials } from "./node_modules/lakebase-wasm/browser.js";

const element = (id) => document.getElementById(id);
const say = (text) => (element("progress").textContent = text);

/** The only places that know a token; both are emptied by `forget`. */
let credentials;
let connectionString;

element("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  forget();
  element("get").disabled = true;
  say("Asking the workspace …");
  try {
    await init();
    credentials = new LakebaseCredentials({
      host: element("host").value,
      endpoint: element("endpoint").value,
      token: element("token").value,
    });
    const login = await credentials.credential();
    connectionString = await credentials.connectionString();
    element("token").value = "";
    show(login);
  } catch (error) {
    forget();
    complain(error);
  } finally {
    element("get").disabled = false;
  }
});

element("show").addEventListener("click", () => reveal(element("show").ariaPressed !== "true"));

element("forget").addEventListener("click", () => {
  forget();
  say("Forgotten. The credential itself stays valid until it expires.");
  element("token").focus();
});

function show({ user, host, port, database, expiresAt }) {
  element("user").textContent = user;
  element("pg-host").textContent = `${host}:${port}`;
  element("database").textContent = database;
  const minutes = Math.round((expiresAt - Date.now()) / 60_000);
  element("expires").dateTime = expiresAt.toISOString();
  element("expires").textContent = `${expiresAt.toLocaleTimeString()}, in ${minutes} minutes`;
  reveal(false);
  say("");
  element("result").hidden = false;
  element("result").focus();
}

/** Shows the connection string, with the password if `whole`. */
function reveal(whole) {
  element("url").textContent = whole ? connectionString : connectionString.replace(/:[^:@]*@/, ":…@");
  element("show").ariaPressed = String(whole);
}

function complain(error) {
  // A page cannot tell a workspace that cannot be reached from one that refuses its origin.
  const hint = error.kind === "unavailable" && error.status === undefined ? ` Is the address right, and does the workspace allow requests from ${location.origin} (CORS)?` : "";
  element("problem").textContent = `${error.message}.${hint}`;
  element("problem").hidden = false;
  say("");
}

function forget() {
  credentials?.free();
  credentials = connectionString = undefined;
  element("url").textContent = "";
  element("result").hidden = true;
  element("problem").hidden = true;
}
