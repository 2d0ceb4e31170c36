// The lanes of a step: a word as a row of bits, and a pass as strips of predictions about their threshold.
import { bitsOf, signed } from "../words.js";
import { countedOf, decimal, element, setText } from "./elements.js";

const FARTHEST = 1.6; // margins above are drawn at the edge of the strip
const REACH = 0.74; // of half the strip: where that edge is

/** A word as a row of bits. */
export function wordLane(wordBits, field, name) {
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
    for (const each of found)
      for (const output of each.then) asserted.add(`${output} ${network.pooled ? group : group * pass.group + each.position}`);
  });
  return asserted;
}

/** The first decision of a step that is not what the matched templates say, or null. */
export function firstWrong(explained, networks) {
  for (const pass of explained.passes) {
    const asserted = assertedBits(
      pass,
      networks.find((each) => each.name === pass.network),
    );
    const wrong = pass.decisions.find((each) => (each.value === 1) !== asserted.has(`${each.output} ${each.bit}`));
    if (wrong !== undefined) return wrong;
  }
  return null;
}

/** A pass: its name, and for each output a strip of predictions. */
export function passLanes(app, pass, wordBits, choose) {
  const network = app.data.networks.find((each) => each.name === pass.network);
  const near = network.smallestMargin === null ? 0 : (network.smallestMargin / FARTHEST) * REACH * 50;
  const said = pass.title.includes(": ") ? pass.title.slice(pass.title.indexOf(": ") + 2) : pass.title;
  const head = element(
    "div",
    { class: "pass-head" },
    element("strong", {}, `Pass ${pass.index}: ${pass.network}`),
    element("span", { class: "kind learned" }, "learned"),
    element("span", { class: "said" }, said),
  );
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
    const cell = element(
      "button",
      { type: "button", class: `decision${bit % pass.group === 0 && bit > 0 ? " edge" : ""}`, tabindex: "-1" },
      dot,
    );
    cell.style.gridColumn = String(wordBits - bit + 1);
    cell.style.setProperty("--near", `${near}%`);
    cell.addEventListener("click", () =>
      choose({ pass: pass.index, network: pass.network, group, position, output, outputIndex, bit }),
    );
    cells.set(bit, cell);
  }
  const inOrder = [...cells.keys()].sort((a, b) => b - a);
  if (inOrder.length > 0) cells.get(inOrder[0]).tabIndex = 0;
  const label = element("span", { class: "lane-name" }, `${output}`);
  smallest.style.gridColumn = String(wordBits + 2);
  const node = element(
    "div",
    { class: "lane strip-lane", role: "group", "aria-label": `Pass ${pass.index}, ${pass.network}, output ${field}` },
    label,
    ...inOrder.map((bit) => cells.get(bit)),
    smallest,
  );
  node.addEventListener("keydown", (event) =>
    moveFocus(
      event,
      inOrder.map((bit) => cells.get(bit)),
    ),
  );
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
  const { bit, prediction, threshold, value, margin, matched } = decision;
  return (
    `Bit ${bit}: predicted ${decimal(prediction, 3)}, ${side} the threshold ${decimal(threshold, 3)}, ` +
    `so ${value}${wrong ? ", which is wrong" : ""}; margin ${decimal(margin)}; ${countedOf(matched, "template")} matched`
  );
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
