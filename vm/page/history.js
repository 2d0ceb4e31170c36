/**
 * What happened, step by step: enough to go back to any step that is kept, and forward again, without a network.
 *
 * The cursor at step k: steps 0 .. k-1 have been executed. A row holds the word that was there and the word that came, so
 * a step is undone by one write and done again by one.
 */
import { CONSOLE, CONSOLE_STORED } from "./machine.js";

const BLOCK = 1 << 16; // steps
export const KEPT_STEPS = 1 << 21; // at least so many of the last steps are kept
const CONSUMED = 1; // flags of a row: a byte of input was consumed,
const BY_CONSOLE = 2; // no network was asked

class Block {
  /** @param {boolean} wide words have more than 32 bits */
  constructor(wide) {
    this.pc = new Uint32Array(BLOCK);
    this.address = new Uint32Array(BLOCK);
    this.old = new Uint32Array(BLOCK);
    this.word = new Uint32Array(BLOCK);
    this.oldHigh = wide ? new Uint32Array(BLOCK) : null;
    this.wordHigh = wide ? new Uint32Array(BLOCK) : null;
    this.margin = new Float32Array(BLOCK);
    this.flags = new Uint8Array(BLOCK);
    this.least = Infinity;
    this.leastAt = -1;
  }

  /** Recompute the smallest margin of the first rows. @param {number} count */
  measure(count) {
    this.least = Infinity;
    this.leastAt = -1;
    for (let row = 0; row < count; row++) this.take(row);
  }

  /** @param {number} row */
  take(row) {
    const margin = this.margin[row];
    if (margin >= this.least) return; // a margin that is no number is the smallest
    this.least = margin;
    this.leastAt = row;
  }
}

/** The log of a machine, where in it the machine stands, and how often each word was used up to there. */
export class History {
  /** @param {import("./machine.js").Machine} machine @param {number} [kept] */
  constructor(machine, kept = KEPT_STEPS) {
    this.machine = machine;
    this.kept = kept;
    this.first = 0;
    this.end = 0;
    this.cursor = 0;
    this.consoleSteps = 0; // up to the cursor
    this.executed = new Uint32Array(machine.size);
    this.read = new Uint32Array(machine.size);
    this.written = new Uint32Array(machine.size);
    /** one more than the highest address of the image, or used so far */
    this.extent = Math.max(machine.image.low.length, 3);
    /** @type {Block[]} */
    this._blocks = [];
    this._endPc = [machine.pcLow, machine.pcHigh];
  }

  /** Execute the instruction at the cursor, which is the end, and log it. @param {import("./unit.js").Unit} unit */
  execute(unit) {
    this._count(1);
    this.machine.step(unit);
    this.append();
  }

  /**
   * Log a step that was recorded elsewhere, at the end, and let the machine do it.
   * @param {{ address: number, low: number, high: number, margin: number, consumed: boolean,
   *   next: { low: number, high: number } }} row
   */
  replay(row) {
    const { machine } = this;
    const { done } = machine;
    this._count(1);
    const { address } = row;
    const written = address !== CONSOLE_STORED;
    done.pc = machine.pcLow;
    done.console = !written || machine.operand(machine.pcLow) === CONSOLE;
    done.address = address;
    done.oldLow = written ? machine.low[address] : 0;
    done.oldHigh = written && machine.high ? machine.high[address] : 0;
    done.low = row.low;
    done.high = row.high;
    done.margin = row.margin;
    done.consumed = row.consumed;
    if (row.consumed) machine.inputPosition++;
    if (!written) machine.output.push(row.low);
    else {
      machine.low[address] = row.low;
      if (machine.high) machine.high[address] = row.high;
    }
    machine.pcLow = row.next.low;
    machine.pcHigh = row.next.high;
    this.append();
  }

  /** Log the step that the machine has just done. */
  append() {
    const { done } = this.machine;
    const index = this.end - this.first;
    if (index % BLOCK === 0 && index / BLOCK === this._blocks.length) this._grow();
    const block = this._blocks[Math.floor((this.end - this.first) / BLOCK)];
    const row = (this.end - this.first) % BLOCK;
    block.pc[row] = done.pc;
    block.address[row] = done.address;
    block.old[row] = done.oldLow;
    block.word[row] = done.low;
    if (block.oldHigh && block.wordHigh) {
      block.oldHigh[row] = done.oldHigh;
      block.wordHigh[row] = done.high;
    }
    block.margin[row] = done.margin;
    block.flags[row] = (done.consumed ? CONSUMED : 0) | (done.console ? BY_CONSOLE : 0);
    if (row === 0) block.measure(0);
    block.take(row);
    this.consoleSteps += done.console ? 1 : 0;
    this.end++;
    this.cursor = this.end;
    this._endPc = [this.machine.pcLow, this.machine.pcHigh];
  }

  _grow() {
    if (this.end - this.first - BLOCK >= this.kept) {
      this._blocks.shift();
      this.first += BLOCK;
    }
    this._blocks.push(new Block(this.machine.high !== null));
  }

  /** Forget what was logged after the cursor. */
  truncate() {
    this.end = this.cursor;
    this._endPc = [this.machine.pcLow, this.machine.pcHigh];
    const kept = this.end - this.first;
    this._blocks.length = Math.ceil(kept / BLOCK);
    if (kept % BLOCK) this._blocks[this._blocks.length - 1].measure(kept % BLOCK);
  }

  /** Undo one step. */
  back() {
    const { machine } = this;
    const step = --this.cursor;
    const block = this._blocks[Math.floor((step - this.first) / BLOCK)];
    const row = (step - this.first) % BLOCK;
    const address = block.address[row];
    if (address === CONSOLE_STORED) machine.output.length--;
    else {
      machine.low[address] = block.old[row];
      if (machine.high && block.oldHigh) machine.high[address] = block.oldHigh[row];
    }
    if (block.flags[row] & CONSUMED) machine.inputPosition--;
    if (block.flags[row] & BY_CONSOLE) this.consoleSteps--;
    machine.pcLow = block.pc[row];
    machine.pcHigh = 0;
    this._count(-1);
  }

  /** Do one step again. */
  forward() {
    const { machine } = this;
    this._count(1);
    const step = this.cursor++;
    const block = this._blocks[Math.floor((step - this.first) / BLOCK)];
    const row = (step - this.first) % BLOCK;
    const address = block.address[row];
    if (address === CONSOLE_STORED) machine.output.length++;
    else {
      machine.low[address] = block.word[row];
      if (machine.high && block.wordHigh) machine.high[address] = block.wordHigh[row];
    }
    if (block.flags[row] & CONSUMED) machine.inputPosition++;
    if (block.flags[row] & BY_CONSOLE) this.consoleSteps++;
    if (this.cursor === this.end) [machine.pcLow, machine.pcHigh] = this._endPc;
    else {
      machine.pcLow = this.pcAt(this.cursor);
      machine.pcHigh = 0;
    }
  }

  /** Bring the machine to a step that is kept. @param {number} step */
  go(step) {
    while (this.cursor > step) this.back();
    while (this.cursor < step) this.forward();
  }

  /**
   * What is seen where the machine stands at another step; afterwards it stands where it stood.
   * @template T @param {number} step @param {() => T} look
   */
  lookAt(step, look) {
    const here = this.cursor;
    this.go(step);
    const seen = look();
    this.go(here);
    return seen;
  }

  /** Where the instruction of a logged step stood. @param {number} step */
  pcAt(step) {
    return this._blocks[Math.floor((step - this.first) / BLOCK)].pc[(step - this.first) % BLOCK];
  }

  /** Where a logged step wrote: CONSOLE_STORED for the console. @param {number} step */
  addressAt(step) {
    return this._blocks[Math.floor((step - this.first) / BLOCK)].address[(step - this.first) % BLOCK];
  }

  /** @param {number} step */
  marginAt(step) {
    return this._blocks[Math.floor((step - this.first) / BLOCK)].margin[(step - this.first) % BLOCK];
  }

  /** The word a logged step wrote, in limbs. @param {number} step @returns {[number, number]} */
  wordAt(step) {
    const block = this._blocks[Math.floor((step - this.first) / BLOCK)];
    const row = (step - this.first) % BLOCK;
    return [block.word[row], block.wordHigh ? block.wordHigh[row] : 0];
  }

  /** Limbs of the pc after a logged step. @param {number} step @returns {[number, number]} */
  nextPcAt(step) {
    return step + 1 === this.end ? [this._endPc[0], this._endPc[1]] : [this.pcAt(step + 1), 0];
  }

  /** The step with the smallest margin of all that are kept. @returns {{ step: number, margin: number } | null} */
  least() {
    let found = null;
    for (const [index, block] of this._blocks.entries()) {
      if (block.leastAt < 0 || (found && block.least >= found.margin)) continue;
      found = { step: this.first + index * BLOCK + block.leastAt, margin: block.least };
    }
    return found;
  }

  /**
   * The smallest margin in each of some stretches of the log (Infinity where only the console was used, NaN where there is no
   * step), and in which of them a byte was written.
   * @param {number} buckets
   */
  overview(buckets) {
    const smallest = new Float32Array(buckets).fill(NaN);
    const output = new Uint8Array(buckets);
    const length = this.end - this.first;
    for (let k = 0; k < length; k++) {
      const bucket = Math.floor((k * buckets) / length);
      const margin = this.marginAt(this.first + k);
      if (!(margin >= smallest[bucket])) smallest[bucket] = margin;
      if (this.addressAt(this.first + k) === CONSOLE_STORED) output[bucket] = 1;
    }
    return { smallest, output };
  }

  /** Count the use of words by the instruction at pc, which has not been executed yet. @param {1 | -1} sign */
  _count(sign) {
    const { machine } = this;
    const pc = machine.pcLow;
    const a = machine.operand(pc);
    const b = machine.operand(pc + 1);
    this.executed[pc] += sign;
    this._use(pc + 2);
    if (a !== null && a !== CONSOLE) {
      this.read[a] += sign;
      this._use(a);
    }
    if (b !== null && b !== CONSOLE) {
      if (a !== CONSOLE || machine.inputMode !== "set") this.read[b] += sign;
      this.written[b] += sign;
      this._use(b);
    }
  }

  /** @param {number} address */
  _use(address) {
    if (address >= this.extent) this.extent = address + 1;
  }
}
