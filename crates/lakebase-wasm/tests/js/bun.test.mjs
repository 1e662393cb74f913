// The tarball, installed, in Bun.
import test from "node:test";
import { BUN, runInstalled } from "./installed.mjs";

test("the installed package mints in Bun", () => runInstalled(BUN, []));

test("the installed package mints in Bun where it is required", () => runInstalled(BUN, [], "require.cjs"));
