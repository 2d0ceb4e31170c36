/**
 * The unit `ntk`: subtract and branch as a schedule of passes. A pass matches templates (the encoder), lets its network predict
 * every output of every group of positions, and compares each prediction with its threshold. Wiring moves bits between passes and
 * never combines them. What is learned is the networks; encoder, wiring and threshold are not.
 */
import { LIMB, wordOf } from "./words.js";
import { applyDamage } from "./damage.js";
import { Network } from "./network.js";

/**
 * @typedef {{ network: string, positions: number, groups: number,
 *   reads: { line: string, field: string, shift?: number, index?: number }[], writes: [string, string][] }} PassData
 * @typedef {{ template: number, family: number, position: number, bit: number, text: string, then: string[] }} Matched
 * @typedef {{ pass: number, network: string, output: string, outputIndex: number, bit: number, group: number,
 *   position: number, matched: number, prediction: number, threshold: number, halfGap: number, value: number,
 *   margin: number }} Decision
 */

const NONE = 255; // no family matches
const HISTOGRAM_BINS = 80;
const HISTOGRAM_TOP = 2; // margins above it are counted in the last bin

/** A pass with its wiring resolved to places in the vector of all bits. */
class Wiring {
  /**
   * @param {PassData} data @param {Network} network
   * @param {Map<string, { at: number, length: number }>} fields where each field lies; those the pass writes are added
   * @param {number} free the first place not taken
   */
  constructor(data, network, fields, free) {
    const { families, group, pooled, outputs } = network.data;
    this.data = data;
    this.network = network;
    this.groups = data.groups;
    this.padded = data.groups * group; // positions, those after the last one of the pass included
    this.lines = data.reads.map((read) => read.line);
    if (this.lines.length > 16) throw new Error(`the pass '${data.network}' reads too many lines`);
    /** for each position and line the place of the bit; place 0 holds the bit 0 */
    this.gather = new Int32Array(this.padded * this.lines.length);
    data.reads.forEach((read, line) => {
      const field = fields.get(read.field);
      if (!field) throw new Error(`the pass '${data.network}' reads a field '${read.field}' that is not written`);
      for (let position = 0; position < this.padded; position++) {
        const bit = read.index ?? position - (read.shift ?? 0);
        const place = bit >= 0 && bit < field.length ? field.at + bit : 0;
        this.gather[position * this.lines.length + line] = place;
      }
    });
    /** the family that matches, by what the lines say: the encoder */
    this.family = new Uint8Array(1 << this.lines.length).fill(NONE);
    families.forEach(({ when }, number) => {
      for (let code = 0; code < this.family.length; code++) {
        const holds = when.every(([line, bit]) => ((code >> this.lines.indexOf(line)) & 1) === bit);
        // Two families hold only where a broken network wrote bits that exclude each other: the first one counts.
        if (holds && this.family[code] === NONE) this.family[code] = number;
      }
    });
    this.written = pooled ? data.groups : data.positions; // bits of each output
    /** where each output is written */
    this.target = new Int32Array(outputs.length);
    this.free = free;
    for (let output = 0; output < outputs.length; output++) {
      this.target[output] = this.free;
      this.free += this.written;
    }
    for (const [output, field] of data.writes) {
      fields.set(field, { at: this.target[outputs.indexOf(output)], length: this.written });
    }
  }
}

/** Decisions by margin: bins from `low` to `high`, what is above in the last one. */
export function emptyHistogram() {
  return { low: 0, high: HISTOGRAM_TOP, bins: new Float64Array(HISTOGRAM_BINS), decisions: 0, smallest: Infinity };
}

export class Unit {
  /** @param {{ program: { wordBits: number }, networks: import("./network.js").NetworkData[], schedule: PassData[] }} data */
  constructor(data) {
    this.wordBits = data.program.wordBits;
    this.networks = data.networks.map((each) => new Network(each));
    const named = new Map(this.networks.map((each) => [each.name, each]));
    const W = this.wordBits;
    /** @type {Map<string, { at: number, length: number }>} */
    const fields = new Map();
    let free = 1;
    for (const name of ["a", "b", "C", "F"]) {
      fields.set(name, { at: free, length: W });
      free += W;
    }
    fields.set("one", { at: free++, length: 1 });
    this._inputs = ["a", "b", "C", "F"].map((name) => fields.get(name)?.at ?? 0);
    this._one = free - 1;
    this.passes = data.schedule.map((each) => {
      const network = named.get(each.network);
      if (!network) throw new Error(`there is no network '${each.network}'`);
      const wiring = new Wiring(each, network, fields, free);
      free = wiring.free;
      return wiring;
    });
    this._difference = fields.get("d")?.at ?? 0;
    this._pc = fields.get("pc")?.at ?? 0;
    this._bits = new Uint8Array(free);
    this._rows = new Int32Array(Math.max(1, ...this.networks.map((each) => each.group)));
    this.histogram = emptyHistogram();
    /** what `evaluate` found last: limbs of the difference and of the next pc, and the smallest margin */
    this.result = { low: 0, high: 0, pcLow: 0, pcHigh: 0, margin: Infinity };
  }

  /** Let the networks predict with damaged weights, and count their decisions anew. @param {import("./damage.js").Damage} damage */
  damage(damage) {
    applyDamage(this.networks, damage);
    this.histogram = emptyHistogram();
  }

  /**
   * One instruction's arithmetic, into `result`. Words are limbs.
   * @param {number} aLow @param {number} aHigh minuend
   * @param {number} bLow @param {number} bHigh subtrahend
   * @param {number} cLow @param {number} cHigh target
   * @param {number} fLow @param {number} fHigh fall-through
   */
  evaluate(aLow, aHigh, bLow, bHigh, cLow, cHigh, fLow, fHigh) {
    this._load([aLow, bLow, cLow, fLow], [aHigh, bHigh, cHigh, fHigh]);
    const { histogram, result } = this;
    const { bins } = histogram;
    const resolution = HISTOGRAM_BINS / HISTOGRAM_TOP;
    let smallest = Infinity;
    for (const pass of this.passes) {
      const { network, written } = pass;
      const { values, positions } = network;
      const outputs = pass.target.length;
      for (let group = 0; group < pass.groups; group++) {
        const count = this._match(pass, group);
        network.predict(this._rows, count);
        const thresholds = network.thresholds[count];
        const halfGap = network.halfGaps[count];
        const first = group * positions;
        const last = Math.min(positions, written - first);
        for (let output = 0; output < outputs; output++) {
          const threshold = thresholds[output];
          const base = output * positions;
          const target = pass.target[output] + first;
          for (let position = 0; position < last; position++) {
            const distance = (values[base + position] - threshold) / halfGap;
            const margin = Math.abs(distance);
            this._bits[target + position] = distance > 0 ? 1 : 0;
            if (!(margin >= smallest)) smallest = margin; // a margin that is no number is the smallest
            const bin = (margin * resolution) | 0;
            bins[bin < HISTOGRAM_BINS && bin >= 0 ? bin : HISTOGRAM_BINS - 1]++;
          }
          histogram.decisions += last;
        }
      }
    }
    if (!(smallest >= histogram.smallest)) histogram.smallest = smallest;
    result.margin = smallest;
    this._store();
  }

  /**
   * Every decision of one case, from the predictions that `evaluate` makes.
   * @param {[number, number][]} words limbs of minuend, subtrahend, target and fall-through
   */
  explain(words) {
    this._load(words.map(([low]) => low), words.map(([, high]) => high));
    const passes = this.passes.map((pass, index) => this._explainPass(pass, index));
    this._store();
    const W = this.wordBits;
    const bits = (/** @type {number} */ at) => wordOf(this._bits.subarray(at, at + W));
    return { difference: bits(this._difference), nextPc: bits(this._pc), passes };
  }

  /**
   * The hidden layer at one decision. The words are those of `explain`.
   * @param {[number, number][]} words
   * @param {number} pass @param {number} group @param {number} output index @param {number} position in the group
   */
  inspect(words, pass, group, output, position) {
    this._load(words.map(([low]) => low), words.map(([, high]) => high));
    for (let k = 0; k < pass; k++) this._explainPass(this.passes[k], k);
    const wiring = this.passes[pass];
    const decision = this._explainPass(wiring, pass).decisions.find(
      (each) => each.group === group && each.outputIndex === output && each.position === position,
    );
    if (!decision) throw new Error("there is no such decision in this pass");
    const matched = this._matched(wiring, group);
    const count = this._match(wiring, group);
    const column = output * wiring.network.positions + position;
    return { ...decision, templates: matched, ...wiring.network.inspect(this._rows, count, column) };
  }

  /** @param {Wiring} pass @param {number} index */
  _explainPass(pass, index) {
    const { network, written } = pass;
    const { positions } = network;
    const matched = Array.from({ length: pass.groups }, (_, group) => this._matched(pass, group));
    /** @type {Decision[]} */
    const decisions = [];
    network.data.outputs.forEach((output, outputIndex) => {
      for (let group = 0; group < pass.groups; group++) {
        const count = this._match(pass, group);
        network.predict(this._rows, count);
        const threshold = network.thresholds[count][outputIndex];
        const halfGap = network.halfGaps[count];
        for (let position = 0; position < Math.min(positions, written - group * positions); position++) {
          const prediction = network.values[outputIndex * positions + position];
          const distance = (prediction - threshold) / halfGap;
          const bit = group * positions + position;
          const value = distance > 0 ? 1 : 0;
          const margin = Math.abs(distance);
          this._bits[pass.target[outputIndex] + bit] = value;
          const where = { pass: index, network: network.name, output, outputIndex, bit, group, position, matched: count };
          decisions.push({ ...where, prediction, threshold, halfGap, value, margin });
        }
      }
    });
    const line = (/** @type {number} */ k) =>
      Uint8Array.from({ length: pass.padded }, (_, position) => this._bits[pass.gather[position * pass.lines.length + k]]);
    return {
      index,
      network: network.name,
      title: network.data.title,
      positions: pass.data.positions,
      groups: pass.groups,
      group: network.group,
      reads: pass.lines.map((name, k) => ({ line: name, bits: line(k) })),
      writes: pass.data.writes.map(([output, field]) => {
        const at = pass.target[network.data.outputs.indexOf(output)];
        return { output, field, bits: this._bits.slice(at, at + written) };
      }),
      matched,
      decisions,
      smallest: decisions.reduce((least, each) => (each.margin >= least ? least : each.margin), Infinity),
    };
  }

  /** What matches in a group, in words. @param {Wiring} pass @param {number} group @returns {Matched[]} */
  _matched(pass, group) {
    const { families } = pass.network.data;
    const size = pass.network.group;
    const count = this._match(pass, group);
    return Array.from(this._rows.subarray(0, count), (template) => {
      const family = Math.floor(template / size);
      const position = template % size;
      const { when, then } = families[family];
      const text = when.map(([line, bit]) => `${line} = ${bit}`).join(", ");
      return { template, family, position, bit: group * size + position, text, then };
    });
  }

  /** Which templates match in a group: into `_rows`; returns how many. @param {Wiring} pass @param {number} group */
  _match(pass, group) {
    const { gather, family } = pass;
    const lines = pass.lines.length;
    const size = pass.network.group;
    const bits = this._bits;
    const rows = this._rows;
    let count = 0;
    let at = group * size * lines;
    for (let position = 0; position < size; position++) {
      let code = 0;
      for (let line = 0; line < lines; line++) code |= bits[gather[at++]] << line;
      const matched = family[code];
      if (matched !== NONE) rows[count++] = matched * size + position;
    }
    return count;
  }

  /** Words to bits. @param {number[]} low @param {number[]} high */
  _load(low, high) {
    const W = this.wordBits;
    this._bits[this._one] = 1;
    for (let k = 0; k < 4; k++) {
      const at = this._inputs[k];
      for (let bit = 0; bit < W; bit++) {
        this._bits[at + bit] = ((bit < LIMB ? low[k] : high[k]) >>> (bit % LIMB)) & 1;
      }
    }
  }

  /** Bits to words, into `result`. */
  _store() {
    const W = this.wordBits;
    const bits = this._bits;
    const limb = (/** @type {number} */ at, /** @type {number} */ from) => {
      let value = 0;
      for (let bit = from; bit < Math.min(W, from + LIMB); bit++) value |= bits[at + bit] << (bit - from);
      return value >>> 0;
    };
    const { result } = this;
    result.low = limb(this._difference, 0);
    result.high = limb(this._difference, LIMB);
    result.pcLow = limb(this._pc, 0);
    result.pcHigh = limb(this._pc, LIMB);
  }
}
