// The tarball, installed, in Bun.
import test from "node:test";
import { runInstalled, tool } from "./installed.mjs";

test("the installed package mints in Bun", () => runInstalled(tool(`@oven/bun-${process.platform}-${process.arch}/bin/bun`), []));
