// The tarball, installed, in Node.
import test from "node:test";
import { runInstalled } from "./installed.mjs";

test("the installed package mints in Node", () => runInstalled(process.execPath, []));
