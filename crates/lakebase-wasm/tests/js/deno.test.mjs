// The tarball, installed, in Deno: with permission for the network only.
import test from "node:test";
import { runInstalled, tool } from "./installed.mjs";

test("the installed package mints in Deno", () =>
  runInstalled(process.execPath, [tool("deno/bin.cjs"), "run", "--no-prompt", "--node-modules-dir=manual", "--allow-net=127.0.0.1"]));
