// How certain the run was: all margins so far, and the smallest that was verified.
import { boxOf, cleanCanvas, colours, onAppearance, penFont } from "./drawing.js";
import { byId, counted, decimal, element, seldom, setText, showOnce } from "./elements.js";
import { verifiedMinimum } from "./timeline.js";

const FOOT = 34; // for the axis
const LEFT = 46;

/** @returns {(state: any) => void} */
export function makeCertainty(app) {
  const canvas = byId("histogram");
  let histogram = null;
  if (app.data.recording !== null) {
    canvas.hidden = true;
    setText(
      byId("histogram-words"),
      "A recording holds the smallest margin of each step, which is drawn above the slider, and not those of all predictions.",
    );
  }
  byId("to-weakest").addEventListener("click", () => app.ask("leastCertain"));
  const draw = () => {
    if (histogram !== null && boxOf(canvas).width > 0) drawHistogram(canvas, histogram, verifiedMinimum(app.data));
  };
  onAppearance(canvas, draw);
  const refresh = seldom(200, async () => {
    histogram = await app.ask("histogram");
    if (histogram === null) return;
    draw();
    const verified = verifiedMinimum(app.data);
    const meaning =
      `Dashed: ${decimal(verified, 3)}, the smallest margin over every input the networks can receive. ` +
      "While the weights are as stored, nothing can lie to the left of it.";
    const words = `${counted(histogram.decisions)} predictions by their margin, the counts on a logarithmic scale. `;
    setText(byId("histogram-words"), verified === null ? words : words + meaning);
    canvas.setAttribute(
      "aria-label",
      `Histogram of ${counted(histogram.decisions)} margins; the smallest is ${decimal(histogram.smallest, 3)}`,
    );
    showFigures(app, histogram, verified);
  });
  return () => {
    byId("to-weakest").disabled = app.state.least === null;
    if (app.view === "certainty" && app.data.recording === null) refresh();
  };
}

function showFigures(app, histogram, verified) {
  const { state } = app;
  const figures = [
    ["predictions", counted(histogram.decisions)],
    ["learned steps", counted(state.learned)],
    ["smallest margin so far", histogram.decisions > 0 ? decimal(histogram.smallest, 3) : "–"],
    ["least certain step", state.least === null ? "–" : counted(state.least.step)],
    ["verified minimum", verified === null ? "–" : decimal(verified, 3)],
  ];
  showOnce(byId("certainty-figures"), JSON.stringify(figures), () =>
    figures.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
  );
}

function drawHistogram(canvas, histogram, verified) {
  const { pen, width, height } = cleanCanvas(canvas);
  const ink = colours();
  const { low, high, bins } = histogram;
  const highest = Math.max(10, ...bins);
  const x = (margin) => LEFT + ((margin - low) / (high - low)) * (width - LEFT - 14);
  const y = (count) =>
    height - FOOT - (count > 0 ? (Math.log10(count) + 0.15) / (Math.log10(highest) + 0.15) : 0) * (height - FOOT - 16);
  pen.font = penFont(11);
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  for (let power = 0; 10 ** power <= highest; power += Math.log10(highest) > 5 ? 2 : 1) {
    pen.fillStyle = ink.line;
    pen.fillRect(LEFT, y(10 ** power), width - LEFT - 14, 1);
    pen.fillStyle = ink.muted;
    pen.fillText(power < 5 ? counted(10 ** power) : `10${superscript(power)}`, LEFT - 6, y(10 ** power));
  }
  if (verified !== null) {
    pen.fillStyle = ink.band;
    pen.fillRect(x(0), 12, x(verified) - x(0), height - FOOT - 12);
  }
  for (let k = 0; k < bins.length; k++) {
    const from = low + (k * (high - low)) / bins.length;
    const to = low + ((k + 1) * (high - low)) / bins.length;
    pen.fillStyle = verified !== null && from < verified - (to - from) ? ink.bad : ink.accent;
    if (bins[k] > 0) pen.fillRect(x(from) + 0.5, y(bins[k]), Math.max(1, x(to) - x(from) - 1), height - FOOT - y(bins[k]));
  }
  pen.fillStyle = ink.strong;
  pen.fillRect(LEFT, height - FOOT, width - LEFT - 14, 1);
  pen.fillStyle = ink.muted;
  pen.textAlign = "center";
  for (let tick = low; tick <= high; tick += 0.5)
    pen.fillText(tick === high ? `${tick}+` : String(tick), x(tick), height - FOOT + 11);
  pen.fillText(width > 420 ? "margin: 0 is the threshold, 1 the nominal distance" : "margin (0: the threshold)", LEFT + (width - LEFT) / 2, height - 8);
  if (verified !== null) {
    pen.strokeStyle = ink.ink;
    pen.setLineDash([4, 3]);
    pen.beginPath();
    pen.moveTo(x(verified), 4);
    pen.lineTo(x(verified), height - FOOT);
    pen.stroke();
    pen.setLineDash([]);
    pen.textAlign = "left";
    pen.fillStyle = ink.ink;
    pen.fillText(`verified minimum ${verified.toFixed(2)}`, x(verified) + 6, 9);
  }
}

function superscript(power) {
  return [...String(power)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("");
}
