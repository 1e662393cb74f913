// A worker that mints for every request.
import { mint } from "./subject.mjs";

export default {
  async fetch(_, env) {
    try {
      return Response.json(await mint(JSON.parse(env.OPTIONS)));
    } catch (error) {
      return new Response(`${error}`, { status: 500 });
    }
  },
};
