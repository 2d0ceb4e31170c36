// One step, down the page: the operands' bits, each pass with its predictions about their thresholds, and the result.
import { bitsOf, signed } from "../words.js";
import { byId, countedOf, decimal, element, newestOnly, seldom, setText } from "./elements.js";
import { recordedInWords } from "./proof.js";

const FARTHEST = 1.6; // margins above are drawn at the edge of the strip
const FAST_PAUSE = 80; // ms between two steps that are shown of a fast run
const REACH = 0.74; // of half the strip: where that edge is

/** @returns {{ show: (state: any) => void, choose: (place: any, byHand?: boolean) => void, forget: () => void }} */
export function makeStep(app) {
  const box = byId("passes");
  let figure = null;
  let chosen = null;

  const explain = newestOnly(async (state) => {
    const subject = app.subject();
    showStatement(app, state, subject);
    if (app.view !== "step") return;
    if (app.data.recording !== null) {
      figure ??= makeFigure(app, box, { passes: [] }, "", choose);
      const done = subject !== null && subject.console === null && "new" in subject;
      if (done) figure.show({ passes: [], minuend: subject.minuend, subtrahend: subject.subtrahend, difference: subject.new, nextPc: subject.nextPc }, true);
      else figure.clear();
      return;
    }
    const explained = subject === null || subject.console !== null ? null : await app.ask("explain", { step: subject.step });
    box.classList.toggle("idle", explained === null);
    if (explained === null) {
      if (figure !== null) figure.clear();
      return;
    }
    const shape = explained.passes.map((pass) => `${pass.network} ${pass.positions}`).join("|");
    if (figure === null || figure.shape !== shape) figure = makeFigure(app, box, explained, shape, choose);
    figure.show(explained, !state.playing);
    showResult(app, explained);
    if (chosen !== null) choose(chosen, false);
  });

  function choose(place, byHand = true) {
    chosen = place;
    if (figure !== null) figure.mark(place);
    app.openNetwork(place, byHand);
  }
  function forget() {
    chosen = null;
    for (const each of box.querySelectorAll(".decision.chosen")) each.classList.remove("chosen");
  }
  const explainSeldom = seldom(FAST_PAUSE, () => explain(app.state));
  function show(state) {
    if (state.playing && (state.speed === null || state.speed > 1000 / FAST_PAUSE)) explainSeldom();
    else explain(state);
  }
  return { show, choose, forget };
}

/** The instruction at the cursor, as text. */
function showStatement(app, state, subject) {
  const name = app.nameOf;
  if (subject === null) {
    setText(byId("instruction"), state.message ?? "no step yet");
    setText(byId("arithmetic"), "");
    return;
  }
  const said = state.next === null || app.data.recording !== null ? "Last step: " : "";
  setText(byId("instruction"), `${said}${app.data.program.isa} ${name(subject.a)}, ${name(subject.b)}${Number(subject.c) === subject.pc + 3 ? "" : `, ${name(subject.c)}`}`);
  const words = {
    read: "Reads a byte from the console: nothing is predicted.",
    write: "Writes a byte to the console: nothing is predicted.",
    both: "Passes a byte from input to output: nothing is predicted.",
  };
  if (subject.console !== null) setText(byId("arithmetic"), words[subject.console]);
  else if (app.data.recording !== null && !("new" in subject)) setText(byId("arithmetic"), "");
  else if (app.data.recording !== null) setText(byId("arithmetic"), resultInWords(app, subject.minuend, subject.subtrahend, subject.new, subject.nextPc, subject.branched, subject.margin));
}

function showResult(app, explained) {
  const { wordBits } = app.data.program;
  const branched = signed(explained.difference, wordBits) < 0 || (app.data.program.isa === "subleq" && Number(explained.difference) === 0);
  setText(byId("arithmetic"), resultInWords(app, explained.minuend, explained.subtrahend, explained.difference, explained.nextPc, branched, explained.margin));
}

function resultInWords(app, minuend, subtrahend, difference, nextPc, branched, margin) {
  const show = (word) => String(signed(word, app.data.program.wordBits));
  const negative = app.data.program.isa === "subleq" ? "negative or zero" : "negative";
  const sure = Number.isFinite(margin) ? ` Smallest margin ${decimal(margin)}.` : "";
  const to = Number(signed(nextPc, app.data.program.wordBits)) < 0 ? "halt" : branched ? `go to ${app.nameOf(nextPc)}` : `go on at ${show(nextPc)}`;
  return `${show(minuend)} − ${subtracted(show(subtrahend))} = ${show(difference)}, ${branched ? "" : "not "}${negative}: ${to}.${sure}`.replaceAll("-", "−");
}

function subtracted(number) {
  return number.startsWith("-") ? `(${number})` : number;
}

/** Build the lanes of one schedule; they are filled for every step. */
function makeFigure(app, box, explained, shape, choose) {
  const { wordBits } = app.data.program;
  box.style.setProperty("--bits", String(wordBits));
  const operands = [["minuend", "mem[B]"], ["subtrahend", "mem[A]"]].map(([field, name]) => wordLane(wordBits, field, name));
  const passes = explained.passes.map((pass) => passLanes(app, pass, wordBits, choose));
  const results = [["difference", "mem[B] after"], ["nextPc", "next pc"]].map(([field, name]) => wordLane(wordBits, field, name));
  const afterPass = (pass) => {
    const fields = pass.writes.map((write) => write.field);
    return fields.includes("d") ? results[0] : fields.includes("pc") ? results[1] : null;
  };
  const nodes = operands.map((lane) => lane.node);
  explained.passes.forEach((pass, k) => {
    nodes.push(...passes[k].nodes);
    const lane = afterPass(pass);
    if (lane !== null) nodes.push(lane.node);
  });
  if (passes.length === 0) nodes.push(...results.map((lane) => lane.node));
  box.replaceChildren(...nodes, legend(app));
  return {
    shape,
    show(now, atRest) {
      for (const lane of [...operands, ...results]) lane.show(now[lane.field]);
      now.passes.forEach((pass, k) => passes[k].show(pass, atRest));
    },
    clear() {
      for (const lane of [...operands, ...results]) lane.show(null);
      for (const pass of passes) pass.clear();
    },
    mark(place) {
      for (const each of box.querySelectorAll(".decision.chosen")) each.classList.remove("chosen");
      passes[place.pass]?.cell(place)?.classList.add("chosen");
    },
  };
}

function legend(app) {
  if (app.data.recording !== null) return element("p", { class: "passes-legend" }, recordedInWords(app.data));
  const verified = app.data.networks.some((network) => network.smallestMargin !== null);
  const parts = ["● above the threshold: 1", "○ below: 0", "◆ wrong", "dashed: the threshold, which is not learned", "on the right: the smallest margin", "between the passes bits are moved, never combined", "select a point to open its network"];
  if (verified) parts.splice(4, 0, "tinted: so near none of the verified inputs came");
  return element("p", { class: "passes-legend" }, ...parts.map((part) => element("span", {}, part)));
}

/** A word as a row of bits. */
function wordLane(wordBits, field, name) {
  const cells = Array.from({ length: wordBits }, () => element("span", { class: "bit" }));
  const value = element("span", { class: "lane-value" });
  const node = element("div", { class: "lane word" }, element("span", { class: "lane-name" }, name), ...cells, value);
  return {
    node,
    field,
    show(word) {
      const bits = word === null ? null : bitsOf(word, wordBits);
      cells.forEach((cell, k) => {
        const bit = bits === null ? "" : String(bits[wordBits - 1 - k]);
        setText(cell, bit);
        cell.dataset.value = bit;
      });
      setText(value, word === null ? "" : String(signed(word, wordBits)));
    },
  };
}

/** The bits that the matched templates of a pass say are 1, as "output bit". @returns {Set<string>} */
function assertedBits(pass, network) {
  const asserted = new Set();
  pass.matched.forEach((found, group) => {
    for (const each of found) for (const output of each.then) asserted.add(`${output} ${network.pooled ? group : group * pass.group + each.position}`);
  });
  return asserted;
}

/** The first decision of a step that is not what the matched templates say, or null. */
export function firstWrong(explained, networks) {
  for (const pass of explained.passes) {
    const asserted = assertedBits(pass, networks.find((each) => each.name === pass.network));
    const wrong = pass.decisions.find((each) => (each.value === 1) !== asserted.has(`${each.output} ${each.bit}`));
    if (wrong !== undefined) return wrong;
  }
  return null;
}

/** A pass: its name, and for each output a strip of predictions. */
function passLanes(app, pass, wordBits, choose) {
  const network = app.data.networks.find((each) => each.name === pass.network);
  const near = network.smallestMargin === null ? 0 : (network.smallestMargin / FARTHEST) * REACH * 50;
  const said = pass.title.includes(": ") ? pass.title.slice(pass.title.indexOf(": ") + 2) : pass.title;
  const head = element("div", { class: "pass-head" }, element("strong", {}, `Pass ${pass.index + 1}: ${pass.network}`), element("span", { class: "kind learned" }, "learned"), element("span", { class: "said" }, said));
  const strips = network.outputs.map((output, outputIndex) => strip(pass, output, outputIndex, wordBits, near, choose));
  return {
    nodes: [head, ...strips.map((each) => each.node)],
    show(now, atRest) {
      const asserted = assertedBits(now, network);
      for (const each of strips) each.show(now.decisions, asserted, atRest);
    },
    clear() {
      for (const each of strips) each.clear();
    },
    cell: (place) => strips[place.outputIndex]?.cells.get(place.bit),
  };
}

function strip(pass, output, outputIndex, wordBits, near, choose) {
  const field = pass.writes.find((write) => write.output === output)?.field ?? output;
  const smallest = element("span", { class: "lane-value" });
  const cells = new Map();
  const decisions = pass.decisions.filter((decision) => decision.output === output);
  for (const { bit, group, position } of decisions) {
    const dot = element("span", { class: "dot" });
    const cell = element("button", { type: "button", class: `decision${bit % pass.group === 0 && bit > 0 ? " edge" : ""}`, tabindex: "-1" }, dot);
    cell.style.gridColumn = String(wordBits - bit + 1);
    cell.style.setProperty("--near", `${near}%`);
    cell.addEventListener("click", () => choose({ pass: pass.index, network: pass.network, group, position, output, outputIndex, bit }));
    cells.set(bit, cell);
  }
  const inOrder = [...cells.keys()].sort((a, b) => b - a);
  if (inOrder.length > 0) cells.get(inOrder[0]).tabIndex = 0;
  const label = element("span", { class: "lane-name" }, `${output}`);
  smallest.style.gridColumn = String(wordBits + 2);
  const node = element("div", { class: "lane strip-lane", role: "group", "aria-label": `Pass ${pass.index + 1}, ${pass.network}, output ${field}` }, label, ...inOrder.map((bit) => cells.get(bit)), smallest);
  node.addEventListener("keydown", (event) => moveFocus(event, inOrder.map((bit) => cells.get(bit))));
  return {
    node,
    cells,
    show(all, asserted, atRest) {
      let least = Infinity;
      for (const decision of all) {
        if (decision.output !== output) continue;
        const cell = cells.get(decision.bit);
        if (cell === undefined) continue;
        const away = (decision.prediction - decision.threshold) / decision.halfGap;
        const at = Number.isNaN(away) ? 0 : Math.max(-1, Math.min(1, away / FARTHEST));
        const wrong = (decision.value === 1) !== asserted.has(`${output} ${decision.bit}`);
        least = Math.min(least, decision.margin);
        cell.dataset.value = String(decision.value);
        cell.classList.toggle("wrong", wrong);
        cell.firstChild.style.setProperty("--at", (at * REACH).toFixed(3));
        if (atRest) cell.setAttribute("aria-label", inWords(decision, wrong));
      }
      setText(smallest, decimal(least));
    },
    clear: () => setText(smallest, ""),
  };
}

function inWords(decision, wrong) {
  const side = decision.value === 1 ? "above" : "below";
  return `Bit ${decision.bit}: predicted ${decimal(decision.prediction, 3)}, ${side} the threshold ${decimal(decision.threshold, 3)}, so ${decision.value}${wrong ? ", which is wrong" : ""}; margin ${decimal(decision.margin)}; ${countedOf(decision.matched, "template")} matched`;
}

function moveFocus(event, cells) {
  const at = cells.indexOf(document.activeElement);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: cells.length - 1 }[event.key];
  if (to === undefined || at < 0) return;
  event.preventDefault();
  event.stopPropagation();
  const next = cells[to];
  if (next === undefined) return;
  cells[at].tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
