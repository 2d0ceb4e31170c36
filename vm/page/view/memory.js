// Memory as a map: a cell for every word, coloured by its value or by how often it was used.
import { signed, wordAt, hex } from "../words.js";
import { boxOf, cleanCanvas, colours, legibleOn, mixed, onAppearance, penFont } from "./drawing.js";
import { byId, counted, element, setText, showOnce } from "./elements.js";

const LARGEST = 46;
const SMALLEST = 5;
const MOST_CELLS = 65536;

/** @returns {{ show: (state: any) => void, choose: (address: number) => void }} */
export function makeMemory(app) {
  const canvas = byId("memory");
  const box = canvas.parentElement;
  const colour = byId("memory-colour");
  const { wordBits } = app.data.program;
  const label = labeller(app.data.program.labels);
  let grid = { columns: 1, size: 10 };
  let pointed = null;

  colour.addEventListener("change", () => app.state && show(app.state));
  const cellAt = (event) => {
    const column = Math.floor(event.offsetX / grid.size);
    const at = Math.floor(event.offsetY / grid.size) * grid.columns + column;
    const { from, low } = app.state.memory;
    return column < grid.columns && at < low.length ? from + at : null;
  };
  const point = (address) => {
    if (address === pointed) return;
    pointed = address;
    show(app.state);
  };
  canvas.addEventListener("pointermove", (event) => app.state && point(cellAt(event)));
  canvas.addEventListener("pointerleave", () => app.state && point(null));
  canvas.addEventListener("click", (event) => app.state && choose(cellAt(event)));
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: grid.columns, ArrowUp: -grid.columns };
    const { from, low } = app.state.memory;
    const now = app.chosen.word ?? from - 1;
    let next = null;
    if (event.key in moves) next = app.chosen.word === null ? from : now + moves[event.key];
    else if (event.key === "Home") next = from;
    else if (event.key === "End") next = from + low.length - 1;
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (next >= from && next < from + low.length) choose(next);
  });
  byId("watch").addEventListener("click", () => {
    const { word } = app.chosen;
    if (!app.watches.delete(word)) app.watches.add(word);
    app.sendStops();
    show(app.state);
  });
  onAppearance(box, () => app.state && show(app.state));

  function choose(address) {
    app.chooseWord(address);
    show(app.state);
  }

  function show(state) {
    const { from, low } = state.memory;
    const room = boxOf(box);
    if (room.width === 0) return;
    const cells = Math.min(low.length, MOST_CELLS);
    grid = layOut(cells, room.width - 28, Math.max(120, room.height - 16));
    const width = grid.columns * grid.size;
    const height = Math.ceil(cells / grid.columns) * grid.size;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    drawCells(cleanCanvas(canvas, { width, height }).pen, grid, cells, state, colour.value, wordBits);
    drawMarks(canvas.getContext("2d"), grid, from, cells, app.subject(), app.chosen.word, pointed);
    showLegend(colour.value, state, from, cells);
    showWord(app, state, pointed ?? app.chosen.word, label);
  }
  return { show, choose };
}

/** The largest cells that let all of them be seen, in columns that are a multiple of eight where there is room. */
function layOut(cells, width, height) {
  let size = Math.min(LARGEST, Math.floor(Math.sqrt((width * height) / cells)));
  const rows = (s) => Math.ceil(cells / wholeColumns(Math.floor(width / s)));
  while (size > SMALLEST && rows(size) * size > height) size--;
  size = Math.max(SMALLEST, size);
  return { columns: wholeColumns(Math.floor(width / size)), size };
}

function wholeColumns(columns) {
  return columns >= 16 ? columns - (columns % 8) : Math.max(1, columns - (columns % 2));
}

function drawCells(pen, grid, cells, state, by, wordBits) {
  const ink = colours();
  const { columns, size } = grid;
  const counts = by === "value" ? null : state.heat[by];
  let most = 1;
  if (counts !== null) for (let k = 0; k < cells; k++) most = Math.max(most, counts[k]);
  const gap = size >= 9 ? 1 : 0;
  const writes = size >= 22;
  pen.font = penFont(size >= 34 ? 11 : 9);
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  for (let k = 0; k < cells; k++) {
    const value = signed(wordAt(state.memory, k), wordBits);
    const number = Number(value);
    const share =
      counts === null
        ? number === 0
          ? 0
          : 0.12 + 0.88 * (Math.log2(1 + Math.abs(number)) / (wordBits - 1))
        : counts[k] === 0
          ? 0
          : 0.12 + 0.88 * (Math.log(1 + counts[k]) / Math.log(1 + most));
    const tone =
      counts === null
        ? number < 0
          ? ink.negative
          : ink.positive
        : { executed: ink.accent, read: ink.read, written: ink.write }[by];
    const [x, y] = [(k % columns) * size, Math.floor(k / columns) * size];
    const ground = mixed(ink.raised, tone, Math.min(1, share));
    pen.fillStyle = ground;
    pen.fillRect(x, y, size - gap, size - gap);
    if (!writes) continue;
    const text = counts === null ? String(value) : counts[k] === 0 ? "" : short(counts[k]);
    if (text.length * (size >= 34 ? 6.7 : 5.5) > size - 2) continue;
    pen.fillStyle = legibleOn(ground);
    pen.fillText(text, x + (size - gap) / 2, y + (size - gap) / 2 + 1);
  }
}

function short(count) {
  return count < 10000 ? String(count) : count < 1e6 ? `${Math.floor(count / 1000)}k` : `${Math.floor(count / 1e6)}M`;
}

/** The instruction underlined, what it reads in a dashed frame, what it writes in a solid one, the chosen word in ink. */
function drawMarks(pen, grid, from, cells, subject, chosen, pointed) {
  const ink = colours();
  const { columns, size } = grid;
  const frame = (address, colour, dash, inset, line) => {
    const k = address - from;
    if (address < 0 || k < 0 || k >= cells) return;
    const [x, y] = [(k % columns) * size, Math.floor(k / columns) * size];
    pen.strokeStyle = colour;
    pen.setLineDash(dash);
    pen.lineWidth = line;
    pen.strokeRect(x + inset, y + inset, size - 1 - 2 * inset, size - 1 - 2 * inset);
    pen.setLineDash([]);
  };
  const line = size >= 14 ? 2.5 : 1.5;
  if (subject !== null) {
    for (let word = 0; word < 3; word++) {
      const k = subject.pc + word - from;
      if (k < 0 || k >= cells) continue;
      pen.fillStyle = ink.ink;
      pen.fillRect(
        (k % columns) * size,
        Math.floor(k / columns) * size + size - Math.max(2, size / 8),
        size - (size >= 9 ? 1 : 0),
        Math.max(2, size / 8),
      );
    }
    frame(subject.aAddress, ink.read, [3, 2], 1, line);
    frame(subject.bAddress, ink.write, [], 1, line);
  }
  if (chosen !== null) frame(chosen, ink.ink, [], 0, 2);
  if (pointed !== null) frame(pointed, ink.ink, [], 0, 1);
}

function showLegend(by, state, from, cells) {
  const tones = {
    value: "blue: positive, orange: negative, faint: near 0",
    executed: "the darker, the more often executed",
    read: "the darker, the more often read",
    written: "the darker, the more often written",
  };
  const shown =
    from + cells < state.extent || cells < state.memory.low.length
      ? `words ${counted(from)}–${counted(from + cells - 1)} of ${counted(state.extent)}`
      : `${counted(cells)} words in use`;
  const parts = [shown, tones[by], "underlined: the instruction", "dashed frame: it reads", "solid frame: it writes"];
  showOnce(byId("memory-legend"), parts.join("|"), () => parts.map((part) => element("span", {}, part)));
}

/** Finds an address by the last label at or before it: "sieve+3". @param {[string, number][]} labels ascending */
export function labeller(labels) {
  return (address) => {
    let [low, high] = [0, labels.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (labels[middle][1] <= address) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return null;
    const [name, at] = labels[low - 1];
    return at === address ? name : `${name}+${address - at}`;
  };
}

function showWord(app, state, address, label) {
  const box = byId("word-words");
  const { from, low } = state.memory;
  if (address === null || address < from || address >= from + low.length) {
    showOnce(box, "", () => ["Point at a word, or choose one by a click or with the arrow keys."]);
    return;
  }
  const k = address - from;
  const { wordBits } = app.data.program;
  const word = wordAt(state.memory, k);
  const value = signed(word, wordBits);
  const number = Number(value);
  const path = app.map.pathAt(address);
  const name = label(address);
  const whole = String(value) === String(word) ? "" : ` (unsigned ${word})`;
  const sign = number > 31 && number < 127 ? `, “${String.fromCharCode(number)}”` : "";
  const lines = [
    `Word ${counted(address)}${name === null ? "" : `, ${name}`}: ${value}${whole}, 0x${hex(word, wordBits)}${sign}.`,
    `Executed ${counted(state.heat.executed[k])}, read ${counted(state.heat.read[k])}, written ${counted(state.heat.written[k])} times.`,
    path.length === 0 ? "" : `Line ${path[0].line}: ${path[0].text.trim()}`,
  ];
  showOnce(box, lines.join("|"), () => lines.flatMap((line, at) => (at > 0 ? [element("br"), line] : [line])));
  const watch = byId("watch");
  watch.disabled = app.chosen.word === null;
  watch.setAttribute("aria-pressed", String(app.watches.has(app.chosen.word)));
  setText(watch, app.watches.has(app.chosen.word) ? "Watched: a run stops when it is written" : "Watch");
}
