// One step, down the page: the operands' bits, each pass with its predictions about their thresholds, and the result.
import { signed } from "../words.js";
import { byId, decimal, element, newestOnly, seldom, setText } from "./elements.js";
import { passLanes, wordLane } from "./lanes.js";
import { recordedInWords } from "./proof.js";

const FAST_PAUSE = 80; // ms between two steps that are shown of a fast run

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
      if (done)
        figure.show(
          { passes: [], minuend: subject.minuend, subtrahend: subject.subtrahend, difference: subject.new, nextPc: subject.nextPc },
          true,
        );
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
    for (const each of box.querySelectorAll(".decision.chosen")) {
      each.classList.remove("chosen");
      each.focus();
    }
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
  const target = Number(signed(subject.c, app.data.program.wordBits));
  const branch = target === subject.pc + 3 ? "" : `, ${target < 0 ? target : name(subject.c)}`;
  setText(byId("instruction"), `${said}${app.data.program.isa} ${name(subject.a)}, ${name(subject.b)}${branch}`);
  const words = {
    read: "Reads a byte from the console: nothing is predicted.",
    write: "Writes a byte to the console: nothing is predicted.",
    both: "Passes a byte from input to output: nothing is predicted.",
  };
  if (subject.console !== null) setText(byId("arithmetic"), words[subject.console]);
  else if (app.data.recording !== null && !("new" in subject)) setText(byId("arithmetic"), "");
  else if (app.data.recording !== null)
    setText(
      byId("arithmetic"),
      resultInWords(app, subject.minuend, subject.subtrahend, subject.new, subject.nextPc, subject.branched, subject.margin),
    );
}

function showResult(app, explained) {
  const { wordBits } = app.data.program;
  const branched =
    signed(explained.difference, wordBits) < 0 || (app.data.program.isa === "subleq" && Number(explained.difference) === 0);
  setText(
    byId("arithmetic"),
    resultInWords(app, explained.minuend, explained.subtrahend, explained.difference, explained.nextPc, branched, explained.margin),
  );
}

function resultInWords(app, minuend, subtrahend, difference, nextPc, branched, margin) {
  const show = (word) => String(signed(word, app.data.program.wordBits));
  const negative = app.data.program.isa === "subleq" ? "negative or zero" : "negative";
  const sure = Number.isFinite(margin) ? ` Smallest margin ${decimal(margin)}.` : "";
  const to =
    Number(signed(nextPc, app.data.program.wordBits)) < 0
      ? "halt"
      : branched
        ? `go to ${app.nameOf(nextPc)}`
        : `go on at ${show(nextPc)}`;
  return `${show(minuend)} − ${subtracted(show(subtrahend))} = ${show(difference)}, ${branched ? "" : "not "}${negative}: ${to}.${sure}`.replaceAll(
    "-",
    "−",
  );
}

function subtracted(number) {
  return number.startsWith("-") ? `(${number})` : number;
}

/** Build the lanes of one schedule; they are filled for every step. */
function makeFigure(app, box, explained, shape, choose) {
  const { wordBits } = app.data.program;
  box.style.setProperty("--bits", String(wordBits));
  const operands = [
    ["minuend", "mem[B]"],
    ["subtrahend", "mem[A]"],
  ].map(([field, name]) => wordLane(wordBits, field, name));
  const passes = explained.passes.map((pass) => passLanes(app, pass, wordBits, choose));
  const results = [
    ["difference", "mem[B] after"],
    ["nextPc", "next pc"],
  ].map(([field, name]) => wordLane(wordBits, field, name));
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
  const parts = [
    "● above the threshold: 1",
    "○ below: 0",
    "◆ wrong",
    "dashed: the threshold, which is not learned",
    "on the right: the smallest margin",
    "between the passes bits are moved, never combined",
    "select a point to open its network",
  ];
  if (verified) parts.splice(4, 0, "tinted: so near none of the verified inputs came");
  return element("p", { class: "passes-legend" }, ...parts.map((part) => element("span", {}, part)));
}
