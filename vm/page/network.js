/**
 * One trained network: from the templates that match to real-valued predictions.
 *
 * The prediction is relu(sum of the matched templates' rows) times the output weights, over the root of their number. Every
 * prediction is made here, for a run and for an explanation alike. Sums are of float64, the weights are float32 as stored.
 */
import { float32FromBase64 } from "./words.js";

const SWEEP = 8; // outputs computed in one sweep over the hidden layer

/**
 * @typedef {{ name: string, title: string, group: number, pooled: boolean, outputs: string[], units: number,
 *   families: { when: [string, number][], then: string[] }[], inner: string, outer: string, thresholds: number[][],
 *   halfGaps: number[], smallestMargin: number | null }} NetworkData
 */

/** Weights of one network: inner [families * group, units], outer [units, columns], both row by row. */
/** @typedef {{ inner: Float32Array, outer: Float32Array, removed: number[] }} Weights */

export class Network {
  /** @param {NetworkData} data */
  constructor(data) {
    this.data = data;
    this.name = data.name;
    this.units = data.units;
    this.group = data.group;
    this.positions = data.pooled ? 1 : data.group; // of each output
    this.columns = data.outputs.length * this.positions;
    /** @type {Weights} as stored */
    this.stored = { inner: float32FromBase64(data.inner), outer: float32FromBase64(data.outer), removed: [] };
    this.weights = this.stored;
    /** thresholds [n, output] and half gaps [n], by number of matched templates */
    this.thresholds = data.halfGaps.map((_, n) => Float64Array.from(data.thresholds, (row) => row[n]));
    this.halfGaps = Float64Array.from(data.halfGaps);
    this._blocks = Math.ceil(this.columns / SWEEP);
    this._outer = new Float32Array(this._blocks * this.units * SWEEP); // [blocks, units, SWEEP]
    this._hidden = new Float64Array(this.units);
    this._active = new Int32Array(this.units);
    /** the predictions made last, [outputs * positions] */
    this.values = new Float64Array(this._blocks * SWEEP);
    this.use(this.stored);
  }

  /** Predict with these weights from here on. @param {Weights} weights */
  use(weights) {
    this.weights = weights;
    const { units, columns } = this;
    for (let unit = 0; unit < units; unit++) {
      for (let column = 0; column < columns; column++) {
        const block = Math.floor(column / SWEEP);
        this._outer[(block * units + unit) * SWEEP + (column % SWEEP)] = weights.outer[unit * columns + column];
      }
    }
  }

  /**
   * Predict every output into `values`. rows: the matched templates, of which the first `count` are meant.
   * @param {Int32Array} rows @param {number} count
   */
  predict(rows, count) {
    const { units, values } = this;
    const hidden = this._hidden;
    const active = this._active;
    if (count === 0) {
      values.fill(0); // no bias: a network that receives nothing says 0
      return;
    }
    this._sum(rows, count);
    let living = 0;
    for (let unit = 0; unit < units; unit++) {
      // A unit that relu silences adds nothing to any output. A weight that is no number is not silenced.
      active[living] = unit;
      living += hidden[unit] <= 0 ? 0 : 1;
    }
    const outer = this._outer;
    const scale = 1 / Math.sqrt(count);
    for (let block = 0; block < this._blocks; block++) {
      const base = block * units * SWEEP;
      let s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
      for (let k = 0; k < living; k++) {
        const unit = active[k];
        const value = hidden[unit];
        const at = base + unit * SWEEP;
        s0 += value * outer[at];
        s1 += value * outer[at + 1];
        s2 += value * outer[at + 2];
        s3 += value * outer[at + 3];
        s4 += value * outer[at + 4];
        s5 += value * outer[at + 5];
        s6 += value * outer[at + 6];
        s7 += value * outer[at + 7];
      }
      const out = block * SWEEP;
      values[out] = s0 * scale;
      values[out + 1] = s1 * scale;
      values[out + 2] = s2 * scale;
      values[out + 3] = s3 * scale;
      values[out + 4] = s4 * scale;
      values[out + 5] = s5 * scale;
      values[out + 6] = s6 * scale;
      values[out + 7] = s7 * scale;
    }
  }

  /** The hidden layer's sums of the matched templates' rows. @param {Int32Array} rows @param {number} count */
  _sum(rows, count) {
    const { units } = this;
    const hidden = this._hidden;
    const { inner } = this.weights;
    let k = count & 3;
    if (k === 0) hidden.fill(0);
    else {
      const a = rows[0] * units;
      for (let unit = 0; unit < units; unit++) hidden[unit] = inner[a + unit];
      for (let row = 1; row < k; row++) {
        const b = rows[row] * units;
        for (let unit = 0; unit < units; unit++) hidden[unit] += inner[b + unit];
      }
    }
    for (; k < count; k += 4) {
      const a = rows[k] * units;
      const b = rows[k + 1] * units;
      const c = rows[k + 2] * units;
      const d = rows[k + 3] * units;
      for (let unit = 0; unit < units; unit++) {
        hidden[unit] += inner[a + unit] + inner[b + unit] + inner[c + unit] + inner[d + unit];
      }
    }
  }

  /**
   * The hidden layer at work on one output: what each unit receives, says and contributes.
   * @param {Int32Array} rows @param {number} count @param {number} column output * positions + position
   */
  inspect(rows, count, column) {
    const { units, columns } = this;
    const { inner, outer, removed } = this.weights;
    this.predict(rows, count);
    const scale = count ? 1 / Math.sqrt(count) : 0;
    const matched = Array.from(rows.subarray(0, count), (row) => inner.slice(row * units, (row + 1) * units));
    const sums = new Float32Array(units);
    const activations = new Float32Array(units);
    const weights = new Float32Array(units);
    const contributions = new Float32Array(units);
    for (let unit = 0; unit < units; unit++) {
      const sum = matched.reduce((total, row) => total + row[unit], 0);
      sums[unit] = sum;
      activations[unit] = Math.max(sum, 0);
      weights[unit] = outer[unit * columns + column];
      contributions[unit] = Math.max(sum, 0) * weights[unit] * scale;
    }
    return { units, scale, sums, activations, weights, contributions, rows: matched, removed };
  }
}
