/**
 * The integer reference: the machine in exact integers, which shares no code with the one that is checked.
 *
 * mem[B] <- mem[B] - mem[A]; if the result is negative (subleq: or zero), pc <- C, else pc <- pc + 3. Address -1 is the console.
 */

/** @typedef {{ pc: bigint, address: bigint, word: bigint, nextPc: bigint }} ReferenceStep */

export class Reference {
  /** @param {number} wordBits @param {string} isa @param {string} inputMode @param {number} size words of memory */
  constructor(wordBits, isa, inputMode, size) {
    this.width = BigInt(wordBits);
    this.isa = isa;
    this.inputMode = inputMode;
    this.console = (1n << this.width) - 1n;
    this.memory = new BigUint64Array(size);
    this.limbs = new Uint32Array(this.memory.buffer); // of the same words, low limb first
    this.pc = 0n;
  }

  /**
   * Take over the state of a machine.
   * @param {Uint32Array} low @param {Uint32Array | null} high limbs of its memory @param {bigint} pc
   */
  restore(low, high, pc) {
    for (let k = 0; k < low.length; k++) {
      this.limbs[2 * k] = low[k];
      this.limbs[2 * k + 1] = high ? high[k] : 0;
    }
    this.pc = pc;
  }

  /**
   * Execute one instruction. input: the next byte, or -1 at the end, which some modes make 0; for an instruction that reads.
   * @param {number} input
   * @returns {ReferenceStep | null} null, and nothing done, where the machine has to stop
   */
  step(input) {
    const { memory, console, pc } = this;
    const size = BigInt(memory.length);
    const top = 1n << (this.width - 1n);
    if (pc >= top || pc + 2n >= size) return null;
    const a = memory[Number(pc)];
    const b = memory[Number(pc) + 1];
    const c = memory[Number(pc) + 2];
    if ((a !== console && a >= size) || (b !== console && b >= size)) return null;
    let nextPc = (pc + 3n) & console;
    let word;
    if (a === console || b === console) {
      const read = input < 0 && this.inputMode.includes("_zero") ? 0n : BigInt(input);
      const value = a === console ? read : memory[Number(a)];
      let branching;
      if (b === console) {
        word = value & 255n;
        branching = this.inputMode.endsWith("_branch_io") ? -value & console : null;
      } else {
        const before = memory[Number(b)];
        word = this.inputMode.startsWith("add") ? before + value : this.inputMode.startsWith("sub") ? before - value : value;
        word &= console;
        branching = this.inputMode.includes("_branch") ? word : null;
      }
      if (branching !== null && (branching >= top || (this.isa === "subleq" && branching === 0n))) nextPc = c;
    } else {
      word = (memory[Number(b)] - memory[Number(a)]) & console;
      if (word >= top || (this.isa === "subleq" && word === 0n)) nextPc = c;
    }
    if (b !== console) memory[Number(b)] = word;
    this.pc = nextPc;
    return { pc, address: b, word, nextPc };
  }
}
