/** The page's side of the engine: it starts the worker and turns requests into promises. */

/** @typedef {(state: any) => void} OnState */

export class Client {
  /** @param {(message: any) => void} send @param {OnState} onState @param {() => void} close */
  constructor(send, onState, close) {
    this._send = send;
    this._onState = onState;
    this._close = close;
    this._last = 0;
    /** @type {Map<number, { resolve: (result: any) => void, reject: (error: Error) => void }>} */
    this._waiting = new Map();
  }

  /** @param {string} type @param {object} [fields] @returns {Promise<any>} */
  request(type, fields) {
    const id = ++this._last;
    return new Promise((resolve, reject) => {
      this._waiting.set(id, { resolve, reject });
      this._send({ id, type, ...fields });
    });
  }

  close() {
    this._close();
  }

  /** @param {any} message */
  receive(message) {
    if (message.type === "state") this._onState(message.state);
    if (message.type !== "reply") return;
    const waiting = this._waiting.get(message.id);
    this._waiting.delete(message.id);
    if (message.error !== undefined) waiting?.reject(new Error(message.error));
    else waiting?.resolve(message.result);
  }
}

/**
 * Start the engine: in a worker or, where none can be made, in the page.
 * @param {any} data @param {string} engineSource @param {OnState} onState
 * @returns {Client}
 */
export function connect(data, engineSource, onState) {
  /** @type {any[]} requests made before the engine is there */
  let early = [];
  /** @type {(message: any) => void} */
  let send = (message) => void early.push(message);
  let close = () => {};
  const client = new Client((message) => send(message), onState, () => close());
  const begin = (/** @type {(message: any) => void} */ to) => {
    send = to;
    early.forEach(to);
    early = [];
  };
  const inPage = () => {
    const host = hostInPage(data, engineSource, (message) => queueMicrotask(() => client.receive(message)));
    begin((message) => host.handle(message));
    host.send();
  };
  try {
    const address = URL.createObjectURL(new Blob([engineSource], { type: "text/javascript" }));
    const worker = new Worker(address);
    let loaded = false;
    worker.onmessage = (event) => {
      if (event.data.type === "loaded") {
        loaded = true;
        URL.revokeObjectURL(address);
        begin((message) => worker.postMessage(message));
      } else client.receive(event.data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (loaded) throw new Error(`the engine failed: ${event.message}`);
      worker.terminate();
      inPage();
    };
    close = () => worker.terminate();
    worker.postMessage(data);
  } catch {
    inPage();
  }
  return client;
}

/** The engine as a script of the page itself. @param {any} data @param {string} engineSource @param {(message: any) => void} post */
function hostInPage(data, engineSource, post) {
  const script = document.createElement("script");
  script.textContent = engineSource;
  document.head.append(script);
  script.remove();
  return /** @type {any} */ (globalThis).sbnHost(data, post);
}
