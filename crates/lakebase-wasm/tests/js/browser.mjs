// Headless Chromium, driven through a pipe by the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/): no port, no driver.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ARGUMENTS = [
  "--headless", "--remote-debugging-pipe", "--window-size=900,1100",
  // Only pages of this test are loaded, and root has no sandbox.
  "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
  "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-extensions", "--disable-sync",
  "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
];

/** Starts it. `send` makes a call, `on` hears the events of a session. */
export async function chromium() {
  const profile = mkdtempSync(join(tmpdir(), "lakebase-chromium-"));
  const child = spawn(process.env.LAKEBASE_CHROMIUM, [...ARGUMENTS, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
    detached: true,
  });
  let said = "";
  child.stderr.on("data", (text) => (said = `${said}${text}`.slice(-2000)));
  const [waiting, listeners] = [new Map(), new Map()];
  let [last, rest, ended] = [0, "", false];
  const exited = new Promise((resolve) => {
    const end = (how) => {
      ended = true;
      for (const { reject } of waiting.values()) reject(new Error(`chromium ended (${how}): ${said}`));
      resolve();
    };
    child.once("error", (error) => end(error.message));
    child.once("exit", (code, signal) => end(signal ?? code));
  });
  child.stdio[3].on("error", () => {});
  child.stdio[4].setEncoding("utf8").on("data", (text) => {
    const parts = `${rest}${text}`.split("\0");
    rest = parts.pop();
    for (const { id, sessionId, method, params, result, error } of parts.map((part) => JSON.parse(part))) {
      if (method) listeners.get(sessionId)?.(method, params);
      const call = waiting.get(id);
      waiting.delete(id);
      if (error) call?.reject(new Error(`${call.method}: ${error.message}`));
      else call?.resolve(result);
    }
  });
  const send = (method, params = {}, sessionId = undefined) =>
    new Promise((resolve, reject) => {
      if (ended) return reject(new Error(`chromium is gone: ${said}`));
      last += 1;
      waiting.set(last, { method, resolve, reject });
      child.stdio[3].write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
    });
  const close = async () => {
    if (child.pid && !ended) process.kill(-child.pid, "SIGKILL");
    await exited;
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  };
  try {
    await send("Browser.getVersion");
  } catch (error) {
    await close();
    throw error;
  }
  return { send, on: (session, listener) => listeners.set(session, listener), close };
}

/** Opens `url` in a page with storage of its own. `requests` and `problems` fill as it goes. */
export async function page(browser, url) {
  const { browserContextId } = await browser.send("Target.createBrowserContext");
  const { targetId } = await browser.send("Target.createTarget", { url: "about:blank", browserContextId });
  const { sessionId } = await browser.send("Target.attachToTarget", { targetId, flatten: true });
  const send = (method, params) => browser.send(method, params, sessionId);
  const [requests, problems] = [[], []];
  let loaded;
  const load = new Promise((resolve) => (loaded = resolve));
  browser.on(sessionId, (method, params) => {
    if (method === "Page.loadEventFired") loaded();
    if (method === "Network.requestWillBeSent") requests.push(new URL(params.request.url));
    if (method === "Runtime.exceptionThrown") problems.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === "Log.entryAdded" && params.entry.level === "error") problems.push(`${params.entry.text} ${params.entry.url ?? ""}`);
  });
  for (const domain of ["Page", "Runtime", "Network", "Log"]) await send(`${domain}.enable`);
  const { errorText } = await send("Page.navigate", { url });
  if (errorText) throw new Error(`${url}: ${errorText}`);
  await load;

  /** Runs `work` in the page with `given`, both by value; what it throws is thrown here. */
  const run = async (work, given) => {
    const expression = `(${work})(${JSON.stringify(given)})`;
    const { result, exceptionDetails } = await send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true, userGesture: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  /** Puts the pointer on the middle of an element and presses. */
  const click = async (selector) => {
    const [x, y] = await run((selector) => {
      const element = document.querySelector(selector);
      element.scrollIntoView({ block: "center" });
      const { x, y, width, height } = element.getBoundingClientRect();
      return [x + width / 2, y + height / 2];
    }, selector);
    for (const type of ["mousePressed", "mouseReleased"]) await send("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
  };
  /** Types into a field that is clicked first, in place of what is there. */
  const type = async (selector, text) => {
    await click(selector);
    await run((selector) => document.querySelector(selector).select(), selector);
    await send("Input.insertText", { text });
  };
  /** Completes when `selector` matches an element. */
  const until = (selector) =>
    run((selector) => new Promise((resolve) => {
      const look = () => document.querySelector(selector) && (observer.disconnect(), resolve());
      const observer = new MutationObserver(look);
      observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
      look();
    }), selector);
  const close = () => browser.send("Target.disposeBrowserContext", { browserContextId });
  return { send, run, click, type, until, close, requests, problems };
}
