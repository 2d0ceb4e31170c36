// The program as its author wrote it: current line, hot lines, break points, macros that open into what they stand for.
import { byId, countedOf, element, printable, seldom, setText } from "./elements.js";

const MOST_ROWS = 20000;

/**
 * @typedef {{ node: any, stop: any, open: any, number: any, ranges: [number, number][], place: number|null, line: number|null, name: string, inner: boolean, count: number }} Row
 */

/** @returns {{ show: (state: any) => void, toggleStop: (address: number) => void }} */
export function makeListing(app) {
  const box = byId("listing");
  /** @type {Row[]} */
  let rows = sourceRows(app) ?? wordRows(app);
  /** @type {Map<number, Row[]>} rows of a macro line that is open */
  const opened = new Map();
  let current = null;
  let active = rows.find((row) => row.place !== null) ?? rows[0];

  box.replaceChildren(...rows.map((row) => row.node));
  box.classList.toggle(
    "flat",
    rows.every((row) => row.open === null),
  );
  if (active) activate(active);

  function activate(row) {
    if (active) for (const each of [active.stop, active.open]) if (each) each.tabIndex = -1;
    active = row;
    for (const each of [row.stop, row.open]) if (each) each.tabIndex = 0;
  }

  function choose(row) {
    for (const each of rows) each.node.classList.toggle("chosen", each === row);
    app.choosePlace(row.place);
  }

  function toggleStop(address) {
    if (app.stops.has(address)) app.stops.delete(address);
    else app.stops.add(address);
    showStops();
    app.sendStops();
  }

  /** Mark the break points: each at its own row, and at a closed macro line those that are within. */
  function showStops() {
    for (const row of rows) {
      if (row.stop === null) continue;
      const within = !row.inner && !opened.has(row.line) && [...app.stops].some((at) => at !== row.place && holds(row, at));
      row.stop.setAttribute("aria-pressed", String(app.stops.has(row.place)));
      row.stop.classList.toggle("within", within);
      row.stop.title = within ? "A break point is within the macro" : "";
    }
  }

  function toggleOpen(row) {
    const inner = opened.get(row.line);
    if (inner !== undefined) {
      for (const each of inner) each.node.remove();
      rows = rows.filter((each) => !inner.includes(each));
      opened.delete(row.line);
      if (inner.includes(active)) activate(row);
    } else {
      const made = innerRows(app, row.line);
      row.node.after(...made.map((each) => each.node));
      rows.splice(rows.indexOf(row) + 1, 0, ...made);
      opened.set(row.line, made);
    }
    row.open.setAttribute("aria-expanded", String(inner === undefined));
    setText(row.open, inner === undefined ? "▾" : "▸");
    showStops();
    if (app.state !== null) show(app.state);
  }

  box.addEventListener("click", (event) => {
    const row = rows.find((each) => each.node.contains(event.target));
    if (row === undefined) return;
    activate(row);
    if (row.stop && row.stop.contains(event.target)) toggleStop(row.place);
    else if (row.open && row.open.contains(event.target)) toggleOpen(row);
    else if (row.place !== null) choose(row);
  });
  box.addEventListener("focusin", (event) => {
    const row = rows.find((each) => each.node.contains(event.target));
    if (row) activate(row);
  });
  box.addEventListener("keydown", (event) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move !== undefined) {
      let at = rows.indexOf(active) + move;
      while (rows[at] && !rows[at].stop) at += move;
      if (rows[at]) {
        activate(rows[at]);
        choose(rows[at]);
        rows[at].stop.focus();
      }
    } else if (event.key === "ArrowRight" && active.open && !opened.has(active.line)) toggleOpen(active);
    else if (event.key === "ArrowLeft" && active.open && opened.has(active.line)) toggleOpen(active);
    else if (event.key.toLowerCase() === "r" && active.place !== null) choose(active);
    else return;
    if (event.key.toLowerCase() === "r") return; // and the page runs to it
    event.preventDefault();
    event.stopPropagation();
  });

  const follow = seldom(60, () => current && reveal(box, current.node));
  const heat = seldom(250, () => showHeat(rows, app.state));
  function show(state) {
    heat();
    const pc = typeof state.pc === "bigint" ? Number(state.pc) : state.pc;
    const now = rowAt(rows, pc, app.map.userLine(pc));
    if (now !== current) {
      if (current) current.node.classList.remove("current");
      if (current) current.node.removeAttribute("aria-current");
      if (now) now.node.classList.add("current");
      if (now) now.node.setAttribute("aria-current", "step");
      current = now;
      if (now) follow();
    }
    const words = `pc ${String(state.pc)}${whereInWords(app, pc)}`;
    setText(byId("listing-words"), state.status === "halted" ? "halted" : words);
  }
  return { show, toggleStop };
}

/** Whether a row made the word at an address. */
function holds(row, address) {
  return row.ranges.some(([start, end]) => start <= address && address < end);
}

/** The row to mark for a pc: the innermost one that is shown. */
function rowAt(rows, pc, line) {
  return (
    rows.find((row) => row.inner && holds(row, pc)) ??
    rows.find((row) => (line !== null && row.line === line && !row.inner) || (line === null && holds(row, pc))) ??
    null
  );
}

/** ", line 12", or for what a macro made ", line 12 → std.sbn:120". */
function whereInWords(app, pc) {
  const path = app.map.pathAt(pc);
  if (path.length === 0) return "";
  const file = (place) => printable(app.data.source.files[place.file].name);
  const own = path[0].file === app.data.source.main ? `line ${path[0].line}` : `${file(path[0])}:${path[0].line}`;
  const last = path[path.length - 1];
  return `, ${own}${path.length > 1 ? ` → ${file(last)}:${last.line}` : ""}`;
}

function reveal(box, node) {
  const [top, bottom] = [node.offsetTop, node.offsetTop + node.offsetHeight];
  const margin = Math.min(60, box.clientHeight / 4);
  if (top < box.scrollTop + margin || bottom > box.scrollTop + box.clientHeight - margin)
    box.scrollTop = top - box.clientHeight * 0.4;
}

function showHeat(rows, state) {
  const { executed } = state.heat;
  const from = state.memory.from;
  const counts = rows.map((row) => {
    let sum = 0;
    for (const [start, end] of row.ranges) for (let at = start; at < end; at++) sum += executed[at - from] ?? 0;
    return sum;
  });
  const most = Math.log(1 + counts.reduce((best, count) => Math.max(best, count), 1));
  rows.forEach((row, k) => {
    if (counts[k] === 0 && row.count === 0) return;
    row.count = counts[k];
    const heat = counts[k] > 0 ? Math.log(1 + counts[k]) / most : 0;
    row.node.classList.toggle("hot", heat > 0);
    row.node.style.setProperty("--heat", heat.toFixed(2));
    row.node.title = counts[k] > 0 ? `executed ${countedOf(counts[k], "instruction")}` : "";
  });
}

/** The rows of the author's file; null where no source is known. */
function sourceRows(app) {
  const { source } = app.data;
  if (source === null) return null;
  const file = source.files[source.main];
  const lines = file.text !== null ? file.text.replace(/\r\n?/g, "\n").split("\n") : linesKnown(file);
  if (lines[lines.length - 1] === "") lines.pop();
  const made = wordsOfLines(app.map);
  return lines.map((text, k) => {
    const line = k + 1;
    const { ranges, expands } = made.get(line) ?? { ranges: [], expands: false };
    const place = ranges.length > 0 ? ranges[0][0] : null;
    return makeRow({ number: String(line), text, ranges, place, line, expands, inner: false, depth: 0, name: `line ${line}` });
  });
}

/**
 * The words each line of the author's file made, and whether it did so through macros.
 * @returns {Map<number, { ranges: [number, number][], expands: boolean }>}
 */
function wordsOfLines(map) {
  const made = new Map();
  for (const [start, end] of map.runs) {
    const path = map.pathAt(start);
    if (path[0].file !== map.main) continue;
    const known = made.get(path[0].line) ?? { ranges: [], expands: false };
    known.ranges.push([start, end]);
    known.expands ||= path.length > 1;
    made.set(path[0].line, known);
  }
  return made;
}

function linesKnown(file) {
  const lines = [];
  for (const [line, text] of file.lines) lines[line - 1] = text;
  return Array.from(lines, (text) => text ?? "");
}

/** What a macro line stands for: a row for every run of words, and one for every call between. */
function innerRows(app, line) {
  const made = [];
  let before = [];
  for (const { start, end, path } of app.map.expansion(line)) {
    for (let depth = 1; depth < path.length; depth++) {
      const known =
        before[depth] &&
        before[depth].line === path[depth].line &&
        before[depth].file === path[depth].file &&
        depth < path.length - 1;
      const parents = path.slice(1, depth).every((place, k) => before[k + 1] && before[k + 1].line === place.line);
      if (known && parents) continue;
      const innermost = depth === path.length - 1;
      made.push(
        makeRow({
          number: innermost ? String(start) : "",
          text: path[depth].text.trimEnd(),
          ranges: innermost ? [[start, end]] : [],
          place: innermost ? start : null,
          line: null,
          expands: false,
          inner: true,
          depth,
          name: `address ${start}`,
        }),
      );
    }
    before = path;
  }
  return made;
}

/** Without source: the words of the image, three to a row, as an instruction has them. */
function wordRows(app) {
  const words = app.imageWords();
  const rows = [];
  for (let at = 0; at < words.length && rows.length < MOST_ROWS; at += 3) {
    const text = words
      .slice(at, at + 3)
      .map(String)
      .join("  ");
    rows.push(
      makeRow({
        number: String(at),
        text,
        ranges: [[at, at + 3]],
        place: at,
        line: null,
        expands: false,
        inner: false,
        depth: 0,
        name: `address ${at}`,
      }),
    );
  }
  return rows;
}

function makeRow({ number, text, ranges, place, line, expands, inner, depth, name }) {
  const shown = printable(text);
  const [code, remark] = splitRemark(shown);
  const stop =
    place === null
      ? null
      : element("button", {
          type: "button",
          class: "stop",
          tabindex: "-1",
          "aria-pressed": "false",
          "aria-label": `Break point at ${name}: ${code.trim()}`,
        });
  const open = expands
    ? element(
        "button",
        { type: "button", class: "open", tabindex: "-1", "aria-expanded": "false", "aria-label": `What ${name} stands for` },
        "▸",
      )
    : null;
  const node = element(
    "div",
    { class: `row${inner ? " inner" : ""}${code.trim() === "" ? " comment" : ""}` },
    stop ?? element("span"),
    open ?? element("span"),
    element("span", { class: "number" }, number),
    element("span", { class: "text" }, code, remark === "" ? null : element("span", { class: "remark" }, remark)),
  );
  node.style.setProperty("--depth", String(depth));
  return { node, stop, open, number, ranges, place, line, name, inner, count: 0 };
}

/** A line of source up to its comment, and the comment. */
function splitRemark(text) {
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (quote !== "") {
      if (sign === "\\") at++;
      else if (sign === quote) quote = "";
    } else if (sign === '"' || sign === "'") quote = sign;
    else if (sign === ";" || sign === "#" || (sign === "/" && text[at + 1] === "/")) return [text.slice(0, at), text.slice(at)];
  }
  return [text, ""];
}
