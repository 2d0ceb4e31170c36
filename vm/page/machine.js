/**
 * The machine: memory, pc, console, and one step whose difference and next pc are the unit's.
 *
 * pc negative: halted. pc + 2 outside memory, or an operand address outside memory that is not the console: an error, which
 * changes nothing. Words are two uint32 limbs; where words have up to 32 bits the high one is 0.
 */
import { LIMB, limbMasks, wordOfLimbs } from "./words.js";

/** The console, where an address is a number. */
export const CONSOLE = -1;
export const CONSOLE_STORED = 0xffffffff; // in a log of addresses: no memory is that large

/** @typedef {"ready" | "halted" | "pc-outside" | "bad-address" | "needs-input" | "recording-ends"} Status */

/** Bytes that grow. */
export class Bytes {
  constructor() {
    this.data = new Uint8Array(256);
    this.length = 0;
  }

  /** @param {number} byte */
  push(byte) {
    if (this.length === this.data.length) {
      const grown = new Uint8Array(2 * this.data.length);
      grown.set(this.data);
      this.data = grown;
    }
    this.data[this.length++] = byte;
  }

  /** The last `most` of the first `length`. @param {number} length @param {number} most */
  tail(length, most) {
    return this.data.slice(Math.max(0, length - most), length);
  }
}

export class Machine {
  /**
   * @param {{ wordBits: number, isa: string, inputMode: string, memorySize: number }} program
   * @param {Uint32Array} low @param {Uint32Array | null} high the image's words @param {{ low: number, high: number }} entry
   */
  constructor(program, low, high, entry) {
    this.wordBits = program.wordBits;
    this.isa = program.isa;
    this.inputMode = program.inputMode;
    const words = program.inputMode.split("_");
    this.mode = { combine: words[0], zeroAtEnd: words.includes("zero"), readsBranch: words.includes("branch"), writesBranch: words.includes("io") };
    this.size = program.memorySize;
    this.masks = limbMasks(program.wordBits);
    this.image = { low, high, entry };
    this.low = new Uint32Array(this.size);
    this.high = program.wordBits > LIMB ? new Uint32Array(this.size) : null;
    this.input = new Bytes();
    this.ended = false; // whether the end of input follows what was received
    this.output = new Bytes();
    this.inputPosition = 0;
    this.pcLow = 0;
    this.pcHigh = 0;
    /** what the last step did; `address` is CONSOLE_STORED for the console */
    this.done = { pc: 0, address: 0, oldLow: 0, oldHigh: 0, low: 0, high: 0, margin: Infinity, console: false, consumed: false };
    this.boot();
  }

  /** Back to the beginning; what was received as input stays. */
  boot() {
    const { low, high, entry } = this.image;
    this.low.fill(0).set(low);
    if (this.high && high) this.high.fill(0).set(high);
    this.pcLow = entry.low;
    this.pcHigh = entry.high;
    this.inputPosition = 0;
    this.output.length = 0;
  }

  get pc() {
    return wordOfLimbs(this.pcLow, this.pcHigh, this.wordBits);
  }

  /** Word at an address inside memory. @param {number} address */
  word(address) {
    return wordOfLimbs(this.low[address], this.high ? this.high[address] : 0, this.wordBits);
  }

  /** @param {number} address @returns {[number, number]} limbs */
  limbs(address) {
    return [this.low[address], this.high ? this.high[address] : 0];
  }

  /** An operand as an address: inside memory, CONSOLE, or null where it is neither. @param {number} at where the operand stands */
  operand(at) {
    const low = this.low[at];
    const high = this.high ? this.high[at] : 0;
    if (low === this.masks.low && high === this.masks.high) return CONSOLE;
    return high === 0 && low < this.size ? low : null;
  }

  /** @returns {Status} */
  status() {
    const sign = this.wordBits > LIMB ? this.pcHigh >>> (this.wordBits - LIMB - 1) : this.pcLow >>> (this.wordBits - 1);
    if (sign & 1) return "halted";
    if (this.pcHigh !== 0 || this.pcLow + 2 >= this.size) return "pc-outside";
    const a = this.operand(this.pcLow);
    if (a === null || this.operand(this.pcLow + 1) === null) return "bad-address";
    if (a === CONSOLE && this.inputPosition === this.input.length && !this.ended) return "needs-input";
    return "ready";
  }

  /** The byte a reading instruction would receive: -1 at the end of input. */
  nextByte() {
    return this.inputPosition < this.input.length ? this.input.data[this.inputPosition] : -1;
  }

  /** Limbs of pc + 3. @returns {[number, number]} */
  fallThrough() {
    const sum = this.pcLow + 3;
    const low = (sum & this.masks.low) >>> 0;
    return [low, ((this.pcHigh + (sum > 0xffffffff ? 1 : 0)) & this.masks.high) >>> 0];
  }

  /**
   * Execute the instruction at pc, into `done`. The status must be "ready".
   * @param {import("./unit.js").Unit} unit
   */
  step(unit) {
    const { low, high, masks, done } = this;
    const pc = this.pcLow;
    const a = this.operand(pc);
    const b = this.operand(pc + 1);
    if (a === null || b === null) throw new Error("a step of a machine that is not ready");
    const [fallLow, fallHigh] = this.fallThrough();
    done.pc = pc;
    done.console = a === CONSOLE || b === CONSOLE;
    done.consumed = false;
    done.margin = Infinity;
    done.address = b === CONSOLE ? CONSOLE_STORED : b;
    done.oldLow = b === CONSOLE ? 0 : low[b];
    done.oldHigh = b === CONSOLE || !high ? 0 : high[b];
    if (done.console) {
      const decides = this._moveByte(a, b);
      [this.pcLow, this.pcHigh] = decides !== null && this._branches(...decides) ? this.limbs(pc + 2) : [fallLow, fallHigh];
    } else {
      const [targetLow, targetHigh] = this.limbs(pc + 2);
      unit.evaluate(done.oldLow, done.oldHigh, low[a], high ? high[a] : 0, targetLow, targetHigh, fallLow, fallHigh);
      const { result } = unit;
      done.low = result.low;
      done.high = result.high;
      done.margin = result.margin;
      this.pcLow = (result.pcLow & masks.low) >>> 0;
      this.pcHigh = (result.pcHigh & masks.high) >>> 0;
    }
    if (b !== CONSOLE) {
      low[b] = done.low;
      if (high) high[b] = done.high;
    }
  }

  /** Whether a word is negative, or zero where the instruction set branches on that. @param {number} low @param {number} high */
  _branches(low, high) {
    const sign = this.wordBits > LIMB ? high >>> (this.wordBits - LIMB - 1) : low >>> (this.wordBits - 1);
    return (sign & 1) === 1 || (this.isa === "subleq" && low === 0 && high === 0);
  }

  /**
   * A console instruction: it moves a byte, and no network is asked.
   * @param {number} a @param {number} b @returns {[number, number] | null} the word a branch depends on, null where there is none
   */
  _moveByte(a, b) {
    const { masks, done, mode } = this;
    const end = mode.zeroAtEnd ? { low: 0, high: 0 } : masks;
    let valueLow = a === CONSOLE ? end.low : this.low[a];
    let valueHigh = a === CONSOLE ? end.high : this.high ? this.high[a] : 0;
    let byte = valueLow & 255;
    if (a === CONSOLE) {
      byte = mode.zeroAtEnd ? 0 : 255;
      if (this.inputPosition < this.input.length) {
        byte = this.input.data[this.inputPosition++];
        done.consumed = true;
        valueLow = (byte & masks.low) >>> 0;
        valueHigh = 0;
      }
    }
    if (b === CONSOLE) {
      this.output.push(byte);
      done.low = byte;
      done.high = 0;
      return mode.writesBranch ? this._combined("sub", 0, 0, valueLow, valueHigh) : null;
    }
    if (mode.combine !== "set") {
      [valueLow, valueHigh] = this._combined(mode.combine, done.oldLow, done.oldHigh, valueLow, valueHigh);
    }
    done.low = valueLow;
    done.high = valueHigh;
    return mode.readsBranch ? [valueLow, valueHigh] : null;
  }

  /**
   * A word plus or minus another, in limbs.
   * @param {string} combine "add" or "sub" @param {number} low @param {number} high @param {number} otherLow @param {number} otherHigh
   * @returns {[number, number]}
   */
  _combined(combine, low, high, otherLow, otherHigh) {
    const before = (BigInt(high) << 32n) | BigInt(low);
    const value = (BigInt(otherHigh) << 32n) | BigInt(otherLow);
    const sum = BigInt.asUintN(this.wordBits, combine === "add" ? before + value : before - value);
    return [Number(sum & 0xffffffffn), Number(sum >> 32n)];
  }
}
