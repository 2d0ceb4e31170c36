/** How a session moves: forwards and backwards, to the next thing worth stopping at, over and out of macro expansions. */
import { CONSOLE_STORED } from "./machine.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {{ kind: string, text: string, address?: number }} Stop why a motion ended */
/**
 * Where a motion ends besides the points: at a step, at marked addresses, or, for a `call`, when it has returned.
 * @typedef {{ speed: number | null, goal: number | null, marks: Uint8Array | null, points: boolean,
 *   call: { start: number, end: number, depth: number } | null }} Motion
 */

const BREAK = 1; // stop before the instruction here
const WATCH = 2; // stop after this word was written
const LOOKED = 16; // steps between two looks at the clock

/** What every run stops at. */
export class Points {
  /** @param {number} size words of memory */
  constructor(size) {
    this.mask = new Uint8Array(size);
    this.floor = -Infinity;
    this.divergence = true; // at the first step that differs
  }

  /** @param {{ addresses: number[], watches: number[], marginBelow: number | null, divergence: boolean }} asked */
  set({ addresses, watches, marginBelow, divergence }) {
    this.mask.fill(0);
    for (const address of addresses) this.mask[address] |= BREAK;
    for (const address of watches) this.mask[address] |= WATCH;
    this.floor = marginBelow ?? -Infinity;
    this.divergence = divergence;
  }
}

/** @param {Partial<Motion>} motion @returns {Motion} */
export function motion(motion) {
  return { speed: null, goal: null, marks: null, points: true, call: null, ...motion };
}

/**
 * Go on with a motion for at most so many steps, and until a time.
 * @param {Session} session @param {Points} points @param {Motion} motion @param {number} most
 * @param {number} until as `performance.now()` counts
 * @returns {{ steps: number, computed: number, stop: Stop | null }} stop: why it has ended, null where it goes on
 */
export function proceed(session, points, motion, most, until) {
  const { history } = session;
  let steps = 0;
  let computed = 0;
  const ends = (/** @type {Stop} */ stop) => ({ steps, computed, stop });
  if (motion.goal !== null && history.cursor >= motion.goal) return ends({ kind: "goal", text: "" });
  while (steps < most) {
    if (history.cursor < history.end) history.forward();
    else {
      const status = session.status();
      if (status === "needs-input") return { steps, computed, stop: null };
      if (status !== "ready") return ends({ kind: "status", text: session.message(status) ?? "" });
      session.compute();
      computed++;
    }
    steps++;
    const stop = motion.points ? worthStopping(session, points) : null;
    if (stop) return ends(stop);
    if (arrived(session, motion)) return ends({ kind: "goal", text: "" });
    if (steps % LOOKED === 0 && performance.now() >= until) break;
  }
  return { steps, computed, stop: null };
}

/** @param {Session} session @param {Motion} motion */
function arrived(session, motion) {
  const { history, machine } = session;
  if (motion.goal !== null && history.cursor >= motion.goal) return true;
  const pc = machine.pcHigh === 0 && machine.pcLow < machine.size ? machine.pcLow : -1;
  if (motion.call) {
    if (pc === motion.call.start) motion.call.depth++;
    if (pc === motion.call.end) motion.call.depth--;
    return motion.call.depth === 0;
  }
  return motion.marks !== null && pc >= 0 && motion.marks[pc] !== 0;
}

/**
 * Why to stop after the step that was executed last; null where there is no reason.
 * @param {Session} session @param {Points} points @returns {Stop | null}
 */
function worthStopping(session, points) {
  const { history, machine } = session;
  const step = history.cursor - 1;
  if (points.divergence && session.divergence?.step === step) return { kind: "divergence", text: session.divergence.text };
  const margin = history.marginAt(step);
  if (points.floor > -Infinity && !(margin >= points.floor)) {
    return { kind: "margin", text: `step ${step.toLocaleString("en")} decided with a margin of ${margin.toFixed(3)}` };
  }
  const address = history.addressAt(step);
  if (address !== CONSOLE_STORED && points.mask[address] & WATCH) {
    return { kind: "watch", address, text: `step ${step.toLocaleString("en")} wrote the word at ${address}` };
  }
  const pc = machine.pcLow;
  if (machine.pcHigh === 0 && pc < machine.size && points.mask[pc] & BREAK) {
    return { kind: "break", address: pc, text: `break point at ${pc}${session.where(pc)}` };
  }
  return null;
}

/** To the next statement of the user's. @param {Session} session */
export function over(session) {
  const { machine, source } = session;
  const known = machine.pcHigh === 0 && source.pathAt(machine.pcLow).length > 0;
  return known ? motion({ marks: source.otherStatements(machine.pcLow) }) : motion({ goal: session.history.cursor + 1 });
}

/**
 * Out of the macro call whose statement pc stands at or in, seen from the outermost one that begins there; at a statement of
 * the user's, out of the last `call` that has not returned.
 * @param {Session} session
 */
export function out(session) {
  const { machine, source } = session;
  const marks = machine.pcHigh === 0 ? source.outside(machine.pcLow, source.outermost(machine.pcLow)) : null;
  if (marks) return motion({ marks });
  const call = openCall(session);
  return call ? motion({ call: { start: call[0], end: call[1], depth: 1 } }) : over(session);
}

/** The `call` entered last and not returned from. @param {Session} session @returns {[number, number] | null} */
function openCall(session) {
  const { history, machine, source } = session;
  const calls = source.calls();
  const ends = new Map(calls.map(([, end], k) => [end, k]));
  const inside = new Int32Array(machine.size).fill(-1);
  calls.forEach(([start, end], k) => inside.fill(k, start, end));
  const returned = new Int32Array(calls.length);
  let after = machine.pcHigh === 0 ? machine.pcLow : -1; // where the step after the one looked at stood
  for (let step = history.cursor - 1; step >= history.first; step--) {
    const pc = history.pcAt(step);
    const call = inside[pc];
    if (call < 0 && ends.has(after)) returned[/** @type {number} */ (ends.get(after))]++;
    else if (call >= 0 && !(calls[call][0] <= after && after <= calls[call][1])) {
      if (returned[call] === 0) return calls[call];
      returned[call]--;
    }
    after = pc;
  }
  return null;
}

/** Back to the beginning of the user's statement before this place in the run. @param {Session} session @returns {Stop | null} */
export function backOver(session) {
  const { history, machine, source } = session;
  if (history.cursor === history.first) return oldest(session);
  history.back();
  while (history.cursor > history.first) {
    const here = machine.pcLow;
    if (source.isStatementStart(here) || !source.sameStatement(history.pcAt(history.cursor - 1), here)) return null;
    history.back();
  }
  return null;
}

/** Back to the last thing worth stopping at before the cursor. @param {Session} session @param {Points} points @returns {Stop} */
export function runBack(session, points) {
  const { history } = session;
  for (let step = history.cursor - 1; step >= history.first; step--) {
    const address = history.addressAt(step);
    const watched = address !== CONSOLE_STORED && points.mask[address] & WATCH;
    const pc = history.pcAt(step);
    if (!watched && !(points.mask[pc] & BREAK)) continue;
    history.go(step);
    return watched
      ? { kind: "watch", address, text: `step ${step.toLocaleString("en")} writes the word at ${address}` }
      : { kind: "break", address: pc, text: `break point at ${pc}${session.where(pc)}` };
  }
  history.go(history.first);
  return oldest(session);
}

/**
 * Before the last step that wrote a word, of those before the cursor; returns whether there is one.
 * @param {Session} session @param {number} address
 */
export function lastWrite(session, address) {
  const { history } = session;
  for (let step = history.cursor - 1; step >= history.first; step--) {
    if (history.addressAt(step) !== address) continue;
    history.go(step);
    return true;
  }
  return false;
}

/**
 * Before the next step that wrote a word, of those that are known; returns whether there is one.
 * @param {Session} session @param {number} address
 */
export function nextWrite(session, address) {
  const { history } = session;
  for (let step = history.cursor + 1; step < history.end; step++) {
    if (history.addressAt(step) !== address) continue;
    history.go(step);
    return true;
  }
  return false;
}

/** @param {Session} session @returns {Stop} */
export function oldest(session) {
  const { first } = session.history;
  const text = first ? `step ${first.toLocaleString("en")} is the oldest that is kept` : "this is the beginning";
  return { kind: "oldest", text };
}
