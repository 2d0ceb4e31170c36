/** The last of the engine's modules: it makes a script out of them. */
import { Host, serve } from "./worker.js";

/** @typedef {(data: any, post: (message: any) => void) => Host} MakeHost */

/** @type {MakeHost} */
const makeHost = (data, post) => new Host(data, post, false);

if (typeof document === "undefined") serve();
else /** @type {any} */ (globalThis).sbnHost = makeHost;
