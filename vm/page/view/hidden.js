// One network, opened: which templates match, what its hidden units do with them, and how that adds up to a prediction.
import { cleanCanvas, colours, onAppearance, penFont } from "./drawing.js";
import { byId, counted, countedOf, decimal, element, newestOnly, setText, showOnce } from "./elements.js";

const CANVASES = ["activations", "contributions", "running-sum"];
const TAIL = 112; // room on the right for figures

/** @returns {{ open: (place: any, byHand: boolean) => void, close: () => void }} */
export function makeHidden(app) {
  const box = byId("hidden");
  const canvas = byId("activations");
  let shown = null;
  let unit = null; // the one that was chosen
  let pointed = null; // the one under the pointer
  let place = null;

  const ask = newestOnly(async (wanted, byHand) => {
    const subject = app.subject();
    if (subject === null || subject.console !== null) return;
    const found = await app.ask("hidden", {
      step: subject.step,
      pass: wanted.pass,
      group: wanted.group,
      output: wanted.outputIndex,
      position: wanted.position,
    });
    if (found === null || place === null) return;
    shown = found;
    box.hidden = false;
    byId("hidden-words").setAttribute("aria-live", app.state.playing ? "off" : "polite");
    showWords(found);
    draw();
    if (byHand) box.scrollIntoView({ block: "nearest" });
  });
  const draw = () => {
    if (shown === null || box.hidden) return;
    if (unit !== null && unit >= shown.units) unit = null;
    const looked = pointed ?? unit;
    drawBars(canvas, shown.activations, looked, shown.removed, false);
    drawBars(byId("contributions"), shown.contributions, looked, shown.removed, true);
    drawSum(byId("running-sum"), shown, looked);
    setText(byId("unit-words"), looked === null ? "Choose a unit by a click or with the arrow keys." : unitInWords(shown, looked));
    byId("remove-unit").disabled = unit === null;
    setText(
      byId("remove-unit"),
      unit !== null && shown.removed.includes(unit)
        ? `Put unit ${unit} back`
        : `Remove ${unit === null ? "this unit" : `unit ${unit}`}`,
    );
  };
  const unitAt = (event) =>
    shown === null
      ? null
      : Math.min(
          shown.units - 1,
          Math.max(0, Math.floor((event.offsetX / (event.currentTarget.clientWidth - TAIL)) * shown.units)),
        );
  const choose = (next) => {
    unit = next;
    draw();
  };
  for (const id of CANVASES) {
    byId(id).addEventListener("pointermove", (event) => {
      pointed = unitAt(event);
      draw();
    });
    byId(id).addEventListener("pointerleave", () => {
      pointed = null;
      draw();
    });
    byId(id).addEventListener("click", (event) => choose(unitAt(event)));
    onAppearance(byId(id), draw);
  }
  byId("remove-unit").addEventListener("click", () => app.toggleUnit(shown.network, unit));
  canvas.addEventListener("keydown", (event) => {
    if (shown === null) return;
    const now = unit ?? -1;
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, ArrowDown: now + 10, ArrowUp: now - 10, Home: 0, End: shown.units - 1 }[
      event.key
    ];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    choose(Math.min(shown.units - 1, Math.max(0, to)));
  });
  byId("close-hidden").addEventListener("click", () => close());

  function close() {
    if (place === null) return;
    place = null;
    box.hidden = true;
    app.networkClosed();
  }
  return {
    open(wanted, byHand) {
      place = wanted;
      ask(wanted, byHand);
    },
    close,
  };
}

function showWords(found) {
  const count = found.templates.length;
  setText(byId("hidden-title"), `Inside “${found.network}”: output ${found.output}, bit ${found.bit}`);
  setText(
    byId("hidden-words"),
    `${countedOf(count, "template")} matched, so the input is ${count === 0 ? "0" : `${count} of its coordinates at 1/√${count}`}. ` +
      `The prediction is ${decimal(found.prediction, 4)}; the threshold for that many templates is ${decimal(found.threshold, 4)}; ` +
      `the bit is ${found.value}, with a margin of ${decimal(found.margin)} half gaps of ${decimal(found.halfGap, 4)}.`,
  );
  setText(
    byId("activations-title"),
    `2. The ${counted(found.units)} hidden units${found.removed.length > 0 ? `, ${counted(found.removed.length)} of them removed` : ""}`,
  );
  const key = found.templates.map((each) => `${each.template}`).join(" ") + found.output + found.bit;
  showOnce(byId("templates"), key, () =>
    found.templates.length === 0
      ? [element("li", {}, "None: the network is given zeros.")]
      : found.templates.map((each) =>
          element(
            "li",
            {},
            element("span", { class: "place" }, `bit ${each.bit}`),
            element("span", {}, `${each.text.replaceAll(" = ", "=")} → ${each.then.join(", ")}`),
          ),
        ),
  );
}

function unitInWords(found, unit) {
  if (found.removed.includes(unit)) return `Unit ${unit} is removed.`;
  const [sum, activation, weight] = [found.sums[unit], found.activations[unit], found.weights[unit]];
  return (
    `Unit ${unit}: sum ${decimal(sum, 3)}, after ReLU ${decimal(activation, 3)}, times its weight ${decimal(weight, 4)} ` +
    `and ${decimal(found.scale, 3)} = ${decimal(found.contributions[unit], 5)}`
  );
}

/** A bar for every unit, up from the foot, or from the middle where both signs occur. */
function drawBars(canvas, values, unit, removed, bothSigns) {
  const { pen, width, height } = cleanCanvas(canvas);
  const ink = colours();
  let most = 1e-9;
  for (const value of values) most = Math.max(most, Math.abs(value));
  const foot = bothSigns ? height / 2 : height - 2;
  const room = (bothSigns ? height / 2 : height) - 5;
  const step = (width - TAIL) / values.length;
  for (let k = 0; k < values.length; k++) {
    const size = (values[k] / most) * room;
    pen.fillStyle = values[k] < 0 ? ink.negative : ink.positive;
    pen.fillRect(k * step, size < 0 ? foot : foot - size, Math.max(0.7, step * 0.85), Math.abs(size));
  }
  pen.fillStyle = ink.bad;
  for (const k of removed) pen.fillRect(k * step, height - 2, Math.max(0.7, step), 2);
  pen.fillStyle = ink.strong;
  pen.fillRect(0, foot, width - TAIL, 1);
  pen.fillStyle = ink.muted;
  pen.font = penFont(11);
  pen.textBaseline = "middle";
  pen.fillText(`${bothSigns ? "±" : "up to "}${decimal(most, bothSigns ? 4 : 2)}`, width - TAIL + 8, bothSigns ? foot : 12);
  pointAt(pen, unit, step, height, ink);
}

function drawSum(canvas, found, unit) {
  const { pen, width, height } = cleanCanvas(canvas);
  const ink = colours();
  const sums = new Float64Array(found.units + 1);
  for (let k = 0; k < found.units; k++) sums[k + 1] = sums[k] + found.contributions[k];
  const low = Math.min(found.threshold, ...sums);
  const high = Math.max(found.threshold, ...sums);
  const pad = 10;
  const y = (value) => height - pad - ((value - low) / Math.max(1e-9, high - low)) * (height - 2 * pad);
  const x = (k) => (k / found.units) * (width - TAIL);
  pen.strokeStyle = ink.line;
  pen.beginPath();
  pen.moveTo(0, y(0));
  pen.lineTo(width - TAIL, y(0));
  pen.stroke();
  pen.strokeStyle = ink.ink;
  pen.setLineDash([4, 3]);
  pen.beginPath();
  pen.moveTo(0, y(found.threshold));
  pen.lineTo(width - TAIL, y(found.threshold));
  pen.stroke();
  pen.setLineDash([]);
  pen.strokeStyle = ink.accent;
  pen.lineWidth = 1.6;
  pen.beginPath();
  sums.forEach((value, k) => (k === 0 ? pen.moveTo(x(k), y(value)) : pen.lineTo(x(k), y(value))));
  pen.stroke();
  const [end, bar] = [y(found.prediction), y(found.threshold)];
  pen.fillStyle = ink.accent;
  pen.beginPath();
  pen.arc(x(found.units), end, 4, 0, 7);
  pen.fill();
  pen.font = penFont(11);
  pen.textBaseline = "middle";
  const near = Math.abs(end - bar) < 13;
  const shift = near ? (end <= bar ? -1 : 1) * (13 - Math.abs(end - bar)) * 0.5 : 0;
  const inside = (at) => Math.min(height - 7, Math.max(7, at));
  pen.fillText(`sum ${decimal(found.prediction, 3)}`, width - TAIL + 8, inside(end + shift));
  pen.fillStyle = ink.ink;
  pen.fillText(`threshold ${decimal(found.threshold, 3)}`, width - TAIL + 8, inside(bar - shift));
  if (unit !== null) {
    pen.fillStyle = ink.ink;
    pen.fillRect(x(unit + 0.5), 0, 1, height);
  }
}

function pointAt(pen, unit, step, height, ink) {
  if (unit === null) return;
  pen.fillStyle = ink.ink;
  pen.fillRect((unit + 0.5) * step, 0, 1, height);
}
