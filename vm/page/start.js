/** The last of the engine's modules: it makes a script out of them. */
import { Host, serve } from "./worker.js";

if (typeof document === "undefined") serve();
else /** @type {any} */ (globalThis).sbnHost = (/** @type {any} */ data, /** @type {(message: any) => void} */ post) => new Host(data, post, false);
