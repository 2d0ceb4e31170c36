/**
 * What the source map tells: which statement a word belongs to, at each level of macro expansion.
 *
 * A word's path is the chain of places from the line the user wrote, over the macro calls in between, to the line that made the
 * word; its level is the number of calls. A statement at level k is all words whose paths agree up to that level.
 */

/**
 * @typedef {{ main: number, files: { name: string, library: boolean, text: string | null, lines: [number, string][] }[],
 *   places: [number, number][], paths: number[][], runs: [number, number, number][] }} SourceData
 * @typedef {{ file: number, line: number, text: string }} Place
 */

const CALL = /^\s*(?:[A-Za-z_]\w*\s*:\s*)*call\b/i;

export class SourceMap {
  /** @param {SourceData | null} data @param {number} size words of memory */
  constructor(data, size) {
    this.data = data;
    this.size = size;
    this.runs = data ? data.runs : [];
    this.main = data ? data.main : 0;
    this._lines = data ? data.files.map((file) => new Map(file.lines)) : [];
    /** the run that made each word, or -1 */
    this._runOf = new Int32Array(this.runs.length ? this.runs[this.runs.length - 1][1] : 0).fill(-1);
    this.runs.forEach(([start, end], run) => this._runOf.fill(run, start, end));
    this._programEnd = 0; // the address after the last word that no macro made
    this.runs.forEach(([, end], run) => {
      if (this._path(run).length === 1) this._programEnd = Math.max(this._programEnd, end);
    });
  }

  /** Whether any source is known. */
  get known() {
    return this.runs.length > 0;
  }

  /** Indexes of the places of a run's path. @param {number} run @returns {number[]} */
  _path(run) {
    return run >= 0 && this.data ? this.data.paths[this.runs[run][2]] : [];
  }

  /** @param {number} address */
  _runAt(address) {
    return address >= 0 && address < this._runOf.length ? this._runOf[address] : -1;
  }

  /**
   * From the line the user wrote to the line that made the word; empty where there is no source.
   * @param {number} address @returns {Place[]}
   */
  pathAt(address) {
    return this._path(this._runAt(address)).map((place) => this.place(place));
  }

  /** @param {number} index @returns {Place} */
  place(index) {
    if (!this.data) throw new Error("there is no source");
    const [file, line] = this.data.places[index];
    return { file, line, text: this._lines[file].get(line) ?? "" };
  }

  /** The line of the main file that made a word, through macros or by itself. @param {number} address @returns {number | null} */
  userLine(address) {
    const [place] = this.pathAt(address);
    return place && place.file === this.main ? place.line : null;
  }

  /** How many macro calls are round the word. @param {number} address */
  level(address) {
    return Math.max(this._path(this._runAt(address)).length - 1, 0);
  }

  /** The words that a line of the main file made. @param {number} line @returns {[number, number][]} */
  addressesOfLine(line) {
    /** @type {[number, number][]} */
    const found = [];
    for (const { start, end } of this.expansion(line)) {
      const last = found[found.length - 1];
      if (last && last[1] === start) last[1] = end;
      else found.push([start, end]);
    }
    return found;
  }

  /** The runs of words that a line of the main file made, each with its path. @param {number} line */
  expansion(line) {
    return this.runs
      .map(([start, end], run) => ({ start, end, path: this._path(run).map((place) => this.place(place)) }))
      .filter(({ path }) => path.length && path[0].file === this.main && path[0].line === line);
  }

  /** The first address made by a line of the main file, or by the next line that made any. @param {number} line @returns {number | null} */
  firstAddress(line) {
    let best = null;
    for (const [run, [start]] of this.runs.entries()) {
      const [file, at] = this.data?.places[this._path(run)[0]] ?? [-1, 0];
      if (file !== this.main || at < line) continue;
      if (!best || at < best.line || (at === best.line && start < best.start)) best = { line: at, start };
    }
    return best && best.start;
  }

  /** Whether a statement of the user's begins at this word; a word without source is one of its own. @param {number} address */
  isStatementStart(address) {
    const [here] = this._path(this._runAt(address));
    const [before] = this._path(this._runAt(address - 1));
    return here === undefined || here !== before;
  }

  /** Whether two words belong to one statement of the user's. @param {number} one @param {number} other */
  sameStatement(one, other) {
    const [here] = this._path(this._runAt(one));
    const [there] = this._path(this._runAt(other));
    return here !== undefined && here === there;
  }

  /**
   * Where the next statement may begin, seen from the user's statement at this address: anywhere in another one written as an
   * instruction, and at the first word of another macro's expansion; words without source, too.
   * @param {number} address @returns {Uint8Array} marks, [size]
   */
  otherStatements(address) {
    const [here] = this._path(this._runAt(address));
    const marks = new Uint8Array(this.size).fill(1);
    const met = new Set();
    let before = -1;
    let last = 0;
    this.runs.forEach(([start, end], run) => {
      if (start !== last) before = -1;
      const path = this._path(run);
      const outer = path[0];
      marks.fill(0, start, end);
      if (outer !== here) {
        if (path.length === 1) marks.fill(1, start, end);
        // What a macro puts after the program carries the path of its first call: that is no statement.
        else if (before !== outer && !(met.has(outer) && start >= this._programEnd)) marks[start] = 1;
      }
      met.add(outer);
      before = outer;
      last = end;
    });
    return marks;
  }

  /** The outermost level at which a statement begins at this word; where none does, its own. @param {number} address */
  outermost(address) {
    const path = this._path(this._runAt(address));
    const before = this._path(this._runAt(address - 1));
    const level = path.findIndex((place, k) => before[k] !== place);
    return level < 0 ? this.level(address) : level;
  }

  /**
   * All words outside the macro call that holds this word at a level; null at level 0.
   * @param {number} address @param {number} level @returns {Uint8Array | null}
   */
  outside(address, level) {
    const call = this._path(this._runAt(address)).slice(0, level);
    if (!call.length) return null;
    const marks = new Uint8Array(this.size).fill(1);
    this.runs.forEach(([start, end], run) => {
      const path = this._path(run);
      if (call.every((place, k) => path[k] === place)) marks.fill(0, start, end);
    });
    return marks;
  }

  /** First address, and address after the last, of each expansion of the macro `call`. @returns {[number, number][]} */
  calls() {
    /** @type {[number, number][]} */
    const found = [];
    const met = new Set();
    let last = "";
    let lastEnd = -1;
    this.runs.forEach(([start, end], run) => {
      const path = this._path(run);
      const level = path.slice(0, -1).findIndex((place) => CALL.test(this.place(place).text));
      let call = path.slice(0, level + 1).join(); // empty where there is none
      if (call && call === last && start === lastEnd) found[found.length - 1][1] = end;
      else if (met.has(call) && start >= this._programEnd) call = ""; // the stack and the routines that serve all calls
      else if (call) {
        found.push([start, end]);
        met.add(call);
      }
      last = call;
      lastEnd = end;
    });
    return found;
  }
}
