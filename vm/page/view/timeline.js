// The run from its first step to its last: the smallest margin of each stretch, and the slider that travels.
import { boxOf, cleanCanvas, colours, onAppearance, penFont } from "./drawing.js";
import { byId, counted, newestOnly, seldom } from "./elements.js";

const INSET = 8; // half of the slider's thumb: where its first and last step are drawn
const HIGHEST = 1.25; // margins above are drawn as this

/** @returns {(state: any) => void} */
export function makeTimeline(app) {
  const canvas = byId("margins");
  const scrubber = byId("scrubber");
  let timeline = null;

  const seek = newestOnly((step) => app.ask("seek", { step }));
  scrubber.addEventListener("input", () => seek(Number(scrubber.value)));
  canvas.addEventListener("pointerdown", (event) => {
    const share = (event.offsetX - INSET) / Math.max(1, canvas.clientWidth - 2 * INSET);
    const { first, end } = app.state;
    seek(Math.round(first + Math.min(1, Math.max(0, share)) * (end - first)));
  });

  const draw = () => {
    if (app.state !== null) drawTimeline(canvas, timeline, app.state, verifiedMinimum(app.data));
  };
  const refresh = seldom(120, async () => {
    if (app.state === null) return;
    const pixels = Math.floor(boxOf(canvas).width - 2 * INSET);
    const buckets = Math.max(1, Math.min(pixels, app.state.end - app.state.first));
    timeline = await app.ask("timeline", { buckets });
    draw();
  });
  onAppearance(canvas, refresh);

  let key = "";
  return (state) => {
    scrubber.min = String(state.first);
    scrubber.max = String(state.end);
    if (document.activeElement !== scrubber || Number(scrubber.value) !== state.step) scrubber.value = String(state.step);
    scrubber.setAttribute("aria-valuetext", `step ${counted(state.step)} of ${counted(state.end)}`);
    const newest = `${state.first} ${state.end} ${state.differed}`;
    if (newest !== key) refresh();
    key = newest;
    draw();
  };
}

/** The smallest margin that was verified over every input of every network, or null. */
export function verifiedMinimum(data) {
  const margins = data.networks.map((network) => network.smallestMargin).filter((margin) => margin !== null);
  return margins.length > 0 ? Math.min(...margins) : (data.unit.verified?.smallestMargin ?? null);
}

function drawTimeline(canvas, timeline, state, verified) {
  const { pen, width, height } = cleanCanvas(canvas);
  const ink = colours();
  const [left, room] = [INSET, width - 2 * INSET];
  const x = (step) => left + (state.end > state.first ? ((step - state.first) / (state.end - state.first)) * room : 0);
  const y = (margin) => height - (Math.min(margin, HIGHEST) / HIGHEST) * (height - 7);
  pen.fillStyle = ink.raised;
  pen.fillRect(left, 7, room, height - 7);
  if (timeline !== null && state.end > state.first) {
    const { smallest, buckets, output } = timeline;
    const share = (timeline.end - timeline.first) / Math.max(1, state.end - state.first);
    const step = (room * Math.min(1, share)) / buckets;
    for (let k = 0; k < buckets; k++) {
      if (Number.isNaN(smallest[k])) continue;
      const top = y(smallest[k]);
      pen.fillStyle = smallest[k] === Infinity ? ink.line : ink.accent;
      pen.globalAlpha = smallest[k] === Infinity ? 1 : 0.55;
      pen.fillRect(left + k * step, top, Math.max(1, step), height - top);
      pen.globalAlpha = 1;
      if (output[k]) {
        pen.fillStyle = ink.read;
        pen.fillRect(left + k * step, height - 3, Math.max(1.5, step), 3);
      }
    }
    pen.fillStyle = ink.bad;
    pen.strokeStyle = ink.bad;
    pen.lineWidth = 2;
    for (const at of timeline.divergences.slice(0, 200)) cross(pen, x(at), 9, 3.5);
    if (timeline.least !== null) mark(pen, x(timeline.least.step), ink.write);
  }
  if (verified !== null) {
    pen.strokeStyle = ink.ink;
    pen.setLineDash([4, 3]);
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(left, y(verified));
    pen.lineTo(left + room, y(verified));
    pen.stroke();
    pen.setLineDash([]);
    if (state.end === state.first) {
      pen.font = penFont(11);
      pen.fillStyle = ink.muted;
      pen.fillText(`margin of every step; dashed: the verified minimum, ${verified.toFixed(2)}`, left + 8, y(verified) - 5);
    }
  }
  pen.fillStyle = ink.ink;
  pen.fillRect(x(state.step) - 1, 3, 2, height - 3);
}

function cross(pen, x, y, size) {
  pen.beginPath();
  pen.moveTo(x - size, y - size);
  pen.lineTo(x + size, y + size);
  pen.moveTo(x + size, y - size);
  pen.lineTo(x - size, y + size);
  pen.stroke();
}

function mark(pen, x, colour) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.moveTo(x - 5, 0);
  pen.lineTo(x + 5, 0);
  pen.lineTo(x, 7);
  pen.fill();
}
