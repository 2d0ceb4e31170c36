/** A machine on the unit with the reference beside it, its history, and its weights that can be broken and mended. */
import { LIMB, limbsOf, uint32FromBase64, float32FromBase64, fromBase64, wordOfLimbs } from "./words.js";
import { Unit } from "./unit.js";
import { NO_DAMAGE, checkedDamage, isDamage } from "./damage.js";
import { Reference } from "./reference.js";
import { CONSOLE, CONSOLE_STORED, Machine } from "./machine.js";
import { History } from "./history.js";
import { SourceMap } from "./source.js";

/** @typedef {import("./words.js").Word} Word */
/** @typedef {{ address: number | null, word: Word | null, nextPc: Word | null }} Outcome */
/**
 * @typedef {{ step: number, pc: number, a: Word, b: Word, c: Word, minuend: Word | null, subtrahend: Word | null,
 *   machine: Outcome, reference: Outcome, text: string }} Divergence
 */

const MESSAGES = {
  ready: null,
  halted: "halted: pc is negative",
  "recording-ends": "the recording ends here",
};

export class Session {
  /** @param {any} data what `data.py` packs @param {number} [kept] steps kept in the history */
  constructor(data, kept) {
    const { program } = data;
    this.data = data;
    this.wordBits = program.wordBits;
    this.source = new SourceMap(data.source, program.memorySize);
    const low = uint32FromBase64(program.low);
    const high = program.high === null ? null : uint32FromBase64(program.high);
    this.machine = new Machine(program, low, high, limbsOf(BigInt(program.entry)));
    this.recorded = data.unit.kind === "recorded";
    this.unit = this.recorded ? null : new Unit(data);
    this._viewer = null; // a second unit, for steps that were computed with other weights than those in force
    this._viewed = NO_DAMAGE;
    this.reference = new Reference(program.wordBits, program.isa, program.inputMode, program.memorySize);
    this.compared = 0;
    this._kept = kept;
    this._receive(fromBase64(data.input.bytes), data.input.ended);
    this.damage = NO_DAMAGE;
    this.history = new History(this.machine, kept);
    /** the step at which the reference stands; -1: it has to be put there */
    this._referenceAt = -1;
    /** @type {number[]} steps of the history at which machine and reference differed */
    this.differing = [];
    /** @type {Divergence | null} the first of them */
    this.divergence = null;
    /** with which weights the steps from `from` on were computed */
    this.epochs = [{ from: 0, damage: this.damage }];
    this._begin();
  }

  /** Start from step 0. Without input, with what was received so far. @param {Uint8Array} [input] @param {boolean} [ended] */
  restart(input, ended) {
    if (input !== undefined || ended !== undefined) {
      const received = input ?? this.machine.input.tail(this.machine.input.length, Infinity);
      this.machine.input.length = 0;
      this._receive(received, ended ?? this.machine.ended);
    }
    this._begin();
  }

  _begin() {
    this.machine.boot();
    this.history = new History(this.machine, this._kept);
    this._referenceAt = -1;
    this.differing = [];
    this.divergence = null;
    this.epochs = [{ from: 0, damage: this.damage }];
    if (this.recorded) this._replay();
  }

  /** @param {Uint8Array} bytes @param {boolean} ended */
  _receive(bytes, ended) {
    for (const byte of bytes) this.machine.input.push(byte);
    this.machine.ended = ended;
  }

  /** Typed input. @param {Uint8Array} bytes */
  type(bytes) {
    if (this.machine.ended) throw new Error("the input has ended; restart the program to type something else");
    this._receive(bytes, false);
  }

  endInput() {
    this.machine.ended = true;
  }

  /** @returns {import("./machine.js").Status} */
  status() {
    const status = this.machine.status();
    const ends = this.recorded && this.history.cursor === this.history.end && status !== "halted";
    return ends && (status === "ready" || status === "needs-input") ? "recording-ends" : status;
  }

  /** The status in a sentence, null where the machine is ready. @param {import("./machine.js").Status} status */
  message(status) {
    const { machine } = this;
    const at = `pc ${machine.pc}${machine.pcHigh === 0 ? this.where(machine.pcLow) : ""}`;
    const size = machine.size.toLocaleString("en");
    if (status === "pc-outside") return `${at} leaves no room for an instruction in the memory of ${size} words`;
    if (status === "needs-input") return `the instruction at ${at} waits for input`;
    if (status === "bad-address") {
      const name = machine.operand(machine.pcLow) === null ? "A" : "B";
      const operand = machine.word(machine.pcLow + (name === "A" ? 0 : 1));
      return `bad address: the instruction at ${at} has an operand ${name} = ${operand}, outside the memory of ${size} words`;
    }
    return MESSAGES[status];
  }

  /** The user's line that made a word, as " (file:line)". @param {number} address */
  where(address) {
    const [place] = this.source.pathAt(address);
    return place ? ` (${this.data.source.files[place.file].name}:${place.line})` : "";
  }

  /** Compute the step at the end of the history and compare it. The status must be "ready". */
  compute() {
    const { machine, history, unit } = this;
    if (!unit) throw new Error("a recording cannot go beyond its end");
    this._placeReference();
    const input = machine.nextByte();
    history.execute(unit);
    this._compare(input);
  }

  _placeReference() {
    const { machine, history } = this;
    if (this._referenceAt !== history.cursor) this.reference.restore(machine.low, machine.high, BigInt(machine.pc));
    this._referenceAt = history.cursor;
  }

  /** Compare the step that was logged last with the reference, which does it now. @param {number} input */
  _compare(input) {
    const { machine, reference, wordBits } = this;
    const { done } = machine;
    const found = reference.step(input);
    this.compared++;
    this._referenceAt = this.history.end;
    const address = done.address === CONSOLE_STORED ? reference.console : BigInt(done.address);
    const agrees =
      found !== null &&
      found.pc === BigInt(done.pc) &&
      found.address === address &&
      found.word === BigInt(wordOfLimbs(done.low, done.high, wordBits)) &&
      found.nextPc === BigInt(machine.pc);
    if (!agrees) this._noteDifference(this.history.end - 1);
    else if (machine.status() !== "ready" && !this._memoryAgrees()) {
      throw new Error("the memories of machine and reference differ though every step agreed");
    }
  }

  /** @param {number} step the one logged last */
  _noteDifference(step) {
    const { history } = this;
    this._referenceAt = -1; // it goes on from the state the machine is in
    this.differing.push(step);
    if (this.differing.length === 1) this.divergence = this.difference(step);
    if (this.differing.length > 2 * history.kept) this.differing = this.differing.filter((each) => each >= history.first);
  }

  _memoryAgrees() {
    const { low, high } = this.machine;
    const { limbs } = this.reference;
    const differs = low.some((word, k) => limbs[2 * k] !== word || (high !== null && limbs[2 * k + 1] !== high[k]));
    return !differs;
  }

  /** What machine and reference did at a step of the history. @param {number} step @returns {Divergence} */
  difference(step) {
    const done = this.step(step);
    const found = this.history.lookAt(step, () => {
      this._placeReference();
      return this.reference.step(this.machine.nextByte());
    });
    this._referenceAt = -1;
    const narrow = (/** @type {bigint} */ word) => (this.wordBits > LIMB ? word : Number(word));
    const address = (/** @type {bigint} */ word) => (word === this.reference.console ? CONSOLE : Number(word));
    const machine = { address: done.address, word: done.new, nextPc: done.nextPc };
    const reference = found
      ? { address: address(found.address), word: narrow(found.word), nextPc: narrow(found.nextPc) }
      : { address: null, word: null, nextPc: null };
    const operands = done.console ? "" : `: ${done.minuend} - ${done.subtrahend}, target ${done.c}`;
    const said = (/** @type {Outcome} */ each) =>
      each.address === null ? "stops" : `writes ${each.word} to ${each.address}, next pc ${each.nextPc}`;
    const text =
      `step ${step.toLocaleString("en")} at pc ${done.pc}${this.where(done.pc)} differs${operands}; ` +
      `the reference ${said(reference)}; the machine ${said(machine)}`;
    const { pc, a, b, c, minuend, subtrahend } = done;
    return { step, pc, a, b, c, minuend, subtrahend, machine, reference, text };
  }

  /** Take in the recording, comparing every step, and go back to its beginning. */
  _replay() {
    const { recording } = this.data;
    const column = (/** @type {string} */ name) => uint32FromBase64(recording[name]);
    const [pcs, addresses, words] = [column("pc"), column("address"), column("new")];
    const high = recording.high && {
      pc: uint32FromBase64(recording.high.pc),
      address: uint32FromBase64(recording.high.address),
      new: uint32FromBase64(recording.high.new),
    };
    const margins = float32FromBase64(recording.margin);
    const consumed = fromBase64(recording.consumed);
    const last = limbsOf(BigInt(recording.nextPc));
    for (let k = 0; k < recording.steps; k++) {
      this._placeReference();
      const input = this.machine.nextByte();
      const next = k + 1 < recording.steps ? { low: pcs[k + 1], high: high ? high.pc[k + 1] : 0 } : last;
      const console = addresses[k] === this.machine.masks.low && (!high || high.address[k] === this.machine.masks.high);
      this.history.replay({
        address: console ? CONSOLE_STORED : addresses[k],
        low: words[k],
        high: high ? high.new[k] : 0,
        margin: margins[k],
        consumed: consumed[k] === 1,
        next,
      });
      this._compare(input);
    }
    this.history.go(0);
  }

  /** The instruction at the cursor. Its status must not be an error. */
  instruction() {
    const { machine } = this;
    const pc = machine.pcLow;
    const aAddress = /** @type {number} */ (machine.operand(pc));
    const bAddress = /** @type {number} */ (machine.operand(pc + 1));
    const reads = aAddress === CONSOLE;
    const writes = bAddress === CONSOLE;
    return {
      step: this.history.cursor,
      pc,
      a: machine.word(pc),
      b: machine.word(pc + 1),
      c: machine.word(pc + 2),
      aAddress,
      bAddress,
      subtrahend: reads ? null : machine.word(aAddress),
      minuend: writes ? null : machine.word(bAddress),
      console: reads && writes ? "both" : reads ? "read" : writes ? "write" : null,
    };
  }

  /** A step of the history, whole. @param {number} step */
  step(step) {
    const { history } = this;
    const instruction = history.lookAt(step, () => this.instruction());
    const [low, high] = history.wordAt(step);
    const [pcLow, pcHigh] = history.nextPcAt(step);
    const nextPc = wordOfLimbs(pcLow, pcHigh, this.wordBits);
    const { pc, console } = instruction;
    const fallThrough = BigInt.asUintN(this.wordBits, BigInt(pc) + 3n);
    return {
      ...instruction,
      address: instruction.bAddress,
      old: instruction.minuend,
      new: wordOfLimbs(low, high, this.wordBits),
      nextPc,
      branched: console === null && BigInt(nextPc) !== fallThrough,
      margin: history.marginAt(step),
    };
  }

  /**
   * Break the weights from the cursor on: what the history holds after it is forgotten.
   * @param {Partial<import("./damage.js").Damage>} asked
   */
  break(asked) {
    if (!this.unit) throw new Error("this is a recording: the page has no networks of this unit that could be broken");
    const damage = checkedDamage(asked, this.unit.networks);
    this._forget();
    this.damage = damage;
    this.unit.damage(damage);
    const { cursor } = this.history;
    this.epochs = [...this.epochs.filter((epoch) => epoch.from < cursor), { from: cursor, damage }];
  }

  /** The weights as stored again; with `rewind`, from just before the first step that differed. @param {boolean} rewind */
  mend(rewind) {
    const { divergence, history } = this;
    if (rewind && divergence) {
      const step = divergence.step.toLocaleString("en");
      if (divergence.step < history.first) throw new Error(`step ${step} differed and is not kept any more: restart`);
      history.go(divergence.step);
    }
    this.break(NO_DAMAGE);
  }

  /** Forget what the history holds after the cursor. */
  _forget() {
    const { history } = this;
    if (this.recorded) return;
    history.truncate();
    this.differing = this.differing.filter((step) => step < history.cursor);
    if (this.divergence && this.divergence.step >= history.cursor) this.divergence = null;
    this.epochs = this.epochs.filter((epoch) => epoch.from <= history.cursor);
  }

  /**
   * Limbs of minuend, subtrahend, target and fall-through of the instruction at a step; null where no network decides.
   * @param {number} step @returns {[number, number][] | null}
   */
  _words(step) {
    return this.history.lookAt(step, () => {
      const { machine } = this;
      if (machine.status() !== "ready") return null;
      const { pc, aAddress, bAddress, console } = this.instruction();
      if (console !== null) return null;
      return [machine.limbs(bAddress), machine.limbs(aAddress), machine.limbs(pc + 2), machine.fallThrough()];
    });
  }

  /** The unit with the weights that a step was or would be computed with. @param {number} step */
  _unitOf(step) {
    const { damage } = this.epochs.filter((epoch) => epoch.from <= step).slice(-1)[0];
    if (damage === this.damage) return { unit: /** @type {Unit} */ (this.unit), damage };
    if (!this._viewer) this._viewer = new Unit(this.data);
    if (this._viewed !== damage) this._viewer.damage(damage);
    this._viewed = damage;
    return { unit: this._viewer, damage };
  }

  /** @param {number} step @throws Error for a step that is not kept */
  checkStep(step) {
    const { first, end } = this.history;
    if (!Number.isInteger(step) || step < first) throw new Error(`step ${step} is not kept: the oldest is step ${first}`);
    if (step > end) throw new Error(`step ${step} has not been computed: the last is step ${end}`);
  }

  /** Every decision of a step; null where no network decides. @param {number} step */
  explain(step) {
    this.checkStep(step);
    const words = this.unit && this._words(step);
    if (!words) return null;
    const { unit, damage } = this._unitOf(step);
    const { difference, nextPc, passes } = unit.explain(words);
    const [minuend, subtrahend, target, fallThrough] = words.map(([low, high]) => wordOfLimbs(low, high, this.wordBits));
    const margin = passes.reduce((least, pass) => (pass.smallest >= least ? least : pass.smallest), Infinity);
    const pc = this.history.lookAt(step, () => this.machine.pcLow);
    return { step, pc, minuend, subtrahend, target, fallThrough, difference, nextPc, margin, damaged: isDamage(damage), passes };
  }

  /**
   * The hidden layer at one decision of a step.
   * @param {{ step: number, pass: number, group: number, output: number, position: number }} asked
   */
  hidden({ step, pass, group, output, position }) {
    this.checkStep(step);
    const words = this.unit && this._words(step);
    if (!words) throw new Error(`no network decides at step ${step}`);
    const { unit } = this._unitOf(step);
    if (!(pass >= 0 && pass < unit.passes.length)) throw new Error(`there is no pass ${pass}`);
    return unit.inspect(words, pass, group, output, position);
  }
}
