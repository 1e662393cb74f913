/** What is imported, where the platform compiles it, as Cloudflare's does. */
declare const module: WebAssembly.Module;
export default module;
