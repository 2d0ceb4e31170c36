/** Messages in, replies and states out: what runs the session, in a worker or, where there is none, in slices in the page. */
import { isDamage } from "./damage.js";
import { Session } from "./session.js";
import { emptyHistogram } from "./unit.js";
import { Points, backOver, lastWrite, motion, nextWrite, oldest, out, over, proceed, runBack } from "./motions.js";

const SLICE_MS = 12; // computing between two looks at the messages
const STATE_MS = 33; // between two states sent while running
const RATE_MS = 500; // over which steps/s are measured
const SHOWN_BYTES = 1 << 16;

/** @typedef {{ id: number, type: string, [field: string]: any }} Message */

/** Answers requests by a method of their name, and keeps motions going. */
export class Host {
  /**
   * @param {any} data @param {(message: any) => void} post @param {boolean} inWorker
   * @param {{ now?: () => number, later?: (call: () => void, ms: number) => void }} [clock]
   */
  constructor(data, post, inWorker, clock) {
    this.session = new Session(data);
    this.points = new Points(data.program.memorySize);
    this.post = post;
    this.inWorker = inWorker;
    this.later = clock?.later ?? laterWithoutDelay();
    /** @type {import("./motions.js").Motion | null} */
    this.motion = null;
    /** @type {import("./motions.js").Stop | null} */
    this.stop = null;
    this.window = { from: 0, count: null };
    this._turn = 0; // of the loop that is going; an older one ends
    this._began = 0; // of the motion's pace, ms
    this._paced = 0; // its steps since
    this._sent = 0;
    this._rate = { since: 0, steps: 0, found: 0 };
  }

  /** @param {Message} message */
  handle(message) {
    let result = null;
    try {
      const act = REQUESTS[message.type];
      if (!act) throw new Error(`unknown request '${message.type}'`);
      result = act(this, message) ?? null;
    } catch (error) {
      this.post({ type: "reply", id: message.id, error: error instanceof Error ? error.message : String(error) });
      return;
    }
    this.post({ type: "reply", id: message.id, result });
    if (!QUESTIONS.has(message.type)) this.send();
  }

  send() {
    this._sent = performance.now();
    this.post({ type: "state", state: this.state() });
  }

  /** Begin a motion; the one under way ends. @param {import("./motions.js").Motion} motion */
  begin(motion) {
    this.motion = motion;
    this.stop = null;
    this._began = performance.now();
    this._paced = 0;
    this._rate = { since: this._began, steps: 0, found: 0 };
    const turn = ++this._turn;
    this.later(() => this._slice(turn), 0);
  }

  /** @param {import("./motions.js").Stop | null} stop */
  end(stop) {
    this.motion = null;
    this.stop = stop;
    this._turn++;
  }

  /** @param {number} turn */
  _slice(turn) {
    const { motion } = this;
    if (turn !== this._turn || !motion) return;
    const began = performance.now();
    let most = Infinity;
    if (motion.speed !== null) most = Math.floor(((began - this._began) / 1000) * motion.speed) + 1 - this._paced;
    let progress;
    try {
      progress = proceed(this.session, this.points, motion, most, began + SLICE_MS);
    } catch (error) {
      this.end({ kind: "error", text: error instanceof Error ? error.message : String(error) });
      this.send();
      return;
    }
    const { steps, computed, stop } = progress;
    const now = performance.now();
    this._paced += steps;
    if (motion.speed !== null && steps < most && !stop) {
      this._began = now; // it cannot keep up, or waits for input: what was missed is not caught up
      this._paced = 1;
    }
    const rate = this._rate;
    rate.steps += computed;
    if (now - rate.since >= RATE_MS) this._rate = { since: now, steps: 0, found: (1000 * rate.steps) / (now - rate.since) };
    if (stop) this.end(stop);
    if (stop || (steps > 0 && now - this._sent >= STATE_MS)) this.send();
    if (stop) return;
    if (this.session.status() === "needs-input") {
      this._rate.found = 0;
      this.send();
      return; // `input` and `endInput` go on
    }
    const due = motion.speed === null ? 0 : this._began + (1000 * this._paced) / motion.speed - now;
    this.later(() => this._slice(turn), Math.min(Math.max(due, 0), 100));
  }

  /** Go on with a motion that waited for input. */
  resume() {
    const turn = ++this._turn;
    this._began = performance.now();
    this._paced = 0;
    if (this.motion) this.later(() => this._slice(turn), 0);
  }

  /** The whole of what is shown. */
  state() {
    const { session, motion, stop } = this;
    const { machine, history, damage, differing } = session;
    const status = session.status();
    const from = Math.min(this.window.from, machine.size);
    const to = Math.min(machine.size, this.window.count === null ? Math.max(history.extent, from) : from + this.window.count);
    const known = status === "ready" || status === "needs-input" || (status === "recording-ends" && machine.status() === "ready");
    return {
      step: history.cursor,
      first: history.first,
      end: history.end,
      pc: machine.pc,
      status,
      message: session.message(status),
      playing: motion !== null,
      speed: motion ? motion.speed : null,
      stepsPerSecond: motion ? this._rate.found : 0,
      stop,
      next: known ? session.instruction() : null,
      last: history.cursor > history.first ? session.step(history.cursor - 1) : null,
      memory: { from, low: machine.low.slice(from, to), high: machine.high ? machine.high.slice(from, to) : null },
      heat: { executed: history.executed.slice(from, to), read: history.read.slice(from, to), written: history.written.slice(from, to) },
      extent: history.extent,
      output: machine.output.tail(machine.output.length, SHOWN_BYTES),
      outputLength: machine.output.length,
      input: {
        read: machine.inputPosition,
        length: machine.input.length,
        ended: machine.ended,
        bytes: machine.input.tail(machine.input.length, SHOWN_BYTES),
      },
      learned: history.cursor - history.consoleSteps,
      consoleSteps: history.consoleSteps,
      compared: session.compared,
      differed: differing.length,
      divergence: session.divergence,
      least: history.least(),
      damage,
      damaged: isDamage(damage),
      inWorker: this.inWorker,
      recorded: session.recorded,
    };
  }
}

/** Requests after which nothing has changed. */
const QUESTIONS = new Set(["explain", "hidden", "timeline", "histogram", "words", "snapshot"]);

/** @param {Host} host @param {number} address @returns {number} @throws Error for an address outside memory */
function checkedAddress(host, address) {
  const { size } = host.session.machine;
  if (Number.isInteger(address) && address >= 0 && address < size) return address;
  throw new Error(`${address} is not an address of the memory of ${size.toLocaleString("en")} words`);
}

/** Going to a step that is known. @param {Host} host @param {number} step */
function go(host, step) {
  host.end(null);
  host.session.history.go(step);
}

/** @type {{ [type: string]: (host: Host, message: Message) => any }} */
const REQUESTS = {
  run(host, { speed = null }) {
    if (speed !== null && !(speed >= 0.1)) throw new Error(`the speed is ${speed}; it is 0.1 steps a second or more`);
    if (host.motion) host.begin({ ...host.motion, speed });
    else host.begin(motion({ speed }));
  },
  pause(host) {
    if (host.motion) host.end({ kind: "pause", text: "" });
  },
  step(host, { count = 1 }) {
    const { history } = host.session;
    host.begin(motion({ goal: history.cursor + count, points: false }));
    host._slice(host._turn); // at once: a step is seen in the state that follows
  },
  back(host, { count = 1 }) {
    const { history } = host.session;
    const step = history.cursor - count;
    go(host, Math.max(step, history.first));
    if (step < history.first) host.stop = oldest(host.session);
  },
  seek(host, { step }) {
    const { history } = host.session;
    if (step > history.end) {
      go(host, history.end);
      host.begin(motion({ goal: step, points: false }));
    } else {
      host.session.checkStep(step);
      go(host, step);
    }
  },
  stepOver(host) {
    host.begin(over(host.session));
    host._slice(host._turn);
  },
  stepOut(host) {
    host.begin(out(host.session));
    host._slice(host._turn);
  },
  backOver(host) {
    host.end(null);
    host.stop = backOver(host.session);
  },
  runTo(host, { address }) {
    const marks = new Uint8Array(host.session.machine.size);
    marks[checkedAddress(host, address)] = 1;
    host.begin(motion({ marks }));
  },
  runBack(host) {
    host.end(null);
    host.stop = runBack(host.session, host.points);
  },
  lastWrite(host, { address }) {
    host.end(null);
    const found = lastWrite(host.session, checkedAddress(host, address));
    if (!found) host.stop = { kind: "none", text: `no step before this one wrote the word at ${address}` };
    return { found };
  },
  nextWrite(host, { address }) {
    host.end(null);
    const found = nextWrite(host.session, checkedAddress(host, address));
    if (!found) host.stop = { kind: "none", text: `no step that is known after this one wrote the word at ${address}` };
    return { found };
  },
  leastCertain(host) {
    const least = host.session.history.least();
    host.end(least ? null : { kind: "none", text: "no network has decided anything yet" });
    if (least) host.session.history.go(least.step);
    return { found: least !== null };
  },
  toDivergence(host) {
    const { divergence, history } = host.session;
    host.end(divergence ? null : { kind: "none", text: "the reference agrees on every step" });
    if (divergence) history.go(divergence.step);
    return { found: divergence !== null };
  },
  breakpoints(host, { addresses = [], watches = [], marginBelow = null, divergence = true }) {
    for (const address of [...addresses, ...watches]) checkedAddress(host, address);
    host.points.set({ addresses, watches, marginBelow, divergence });
  },
  input(host, { bytes }) {
    host.session.type(bytes);
    host.resume();
  },
  endInput(host) {
    host.session.endInput();
    host.resume();
  },
  restart(host, { input, ended }) {
    if (host.session.recorded && (input !== undefined || ended !== undefined)) {
      throw new Error("this is a recording: it has the input it was made with");
    }
    host.end(null);
    host.session.restart(input, ended);
  },
  view(host, { from = 0, count = null }) {
    host.window = { from, count };
  },
  break(host, { id, type, ...asked }) {
    host.session.break(asked);
    host.resume();
  },
  mend(host, { rewind = true }) {
    host.session.mend(rewind);
    host.resume();
  },
  explain: (host, { step }) => host.session.explain(step),
  hidden: (host, { step, pass, group, output, position }) => host.session.hidden({ step, pass, group, output, position }),
  timeline(host, { buckets }) {
    const { history, differing } = host.session;
    const { smallest, output } = history.overview(buckets);
    const divergences = differing.filter((step) => step >= history.first).slice(0, 1000);
    return { first: history.first, end: history.end, buckets, smallest, output, divergences, least: history.least() };
  },
  histogram(host) {
    const { unit, data } = host.session;
    const { verified } = data.unit;
    const found = unit ? unit.histogram : emptyHistogram();
    return { ...found, bins: found.bins.slice(), verified: verified ? verified.smallestMargin : null };
  },
  words(host, { addresses }) {
    return addresses.map((/** @type {number} */ each) => host.session.machine.word(checkedAddress(host, each)));
  },
  snapshot: (host) => host.state(),
};

/** setTimeout without the browser's least delay of 4 ms. */
function laterWithoutDelay() {
  const channel = new MessageChannel();
  /** @type {(() => void)[]} */
  const waiting = [];
  channel.port1.onmessage = () => waiting.shift()?.();
  return (/** @type {() => void} */ call, /** @type {number} */ ms) => {
    if (ms >= 1) {
      setTimeout(call, ms);
      return;
    }
    waiting.push(call);
    channel.port2.postMessage(null);
  };
}

/** Serve the page from inside a worker: the first message is the data. */
export function serve() {
  const scope = /** @type {any} */ (globalThis);
  /** @type {Host | null} */
  let host = null;
  scope.onmessage = (/** @type {MessageEvent} */ event) => {
    if (host) host.handle(event.data);
    else {
      host = new Host(event.data, (message) => scope.postMessage(message), true);
      scope.postMessage({ type: "loaded" });
      host.send();
    }
  };
}
