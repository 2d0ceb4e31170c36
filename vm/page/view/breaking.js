// Damaging the networks, the report of what the reference caught, and mending them.
import { byId, counted, countedOf, decimal, element, setText, showOnce } from "./elements.js";
import { firstWrong } from "./lanes.js";
import { signed } from "../words.js";

const WEIGHT_BITS = [32, 16, 12, 10, 8, 7, 6, 5, 4];

/** @returns {(state: any) => void} */
export function makeBreaking(app) {
  const [noise, bits, removed, scrambled] = ["noise", "weight-bits", "removed", "scrambled"].map(byId);
  bits.max = String(WEIGHT_BITS.length - 1);
  scrambled.append(
    element("option", { value: "" }, "none"),
    ...app.data.networks.map((network) => element("option", { value: network.name }, network.name)),
  );
  if (app.data.recording !== null) {
    byId("breaking").replaceWith(
      element("p", { class: "banner" }, "This page plays a recorded run: there are no weights here to damage."),
    );
    return () => {};
  }

  const wanted = () => ({
    noise: Number(noise.value) / 100,
    bits: WEIGHT_BITS[Number(bits.value)],
    removedShare: Number(removed.value) / 100,
    removedUnits: {},
    replaced: scrambled.value === "" ? [] : [scrambled.value],
    seed: 1,
  });
  const isNone = (damage) => damage.noise === 0 && damage.bits === 32 && damage.removedShare === 0 && damage.replaced.length === 0;
  const showValues = () => {
    const damage = wanted();
    const texts = { noise: `${noise.value} %`, "weight-bits": String(damage.bits), removed: `${removed.value} %` };
    for (const [id, text] of Object.entries(texts)) {
      setText(byId(`${id}-value`), text);
      byId(id).setAttribute("aria-valuetext", text);
    }
    byId("break").disabled = isNone(damage);
  };

  async function damageAndRun() {
    if (app.state.status !== "ready" && app.state.status !== "needs-input") await app.seekAndWait(app.state.first);
    await app.ask("break", wanted());
    await app.ask("run", { speed: null });
  }
  const mend = () => app.ask("mend", { rewind: true });
  for (const control of [noise, bits, removed, scrambled]) {
    control.addEventListener("input", showValues);
    control.addEventListener("change", () => {
      if (app.state?.damaged && !isNone(wanted())) app.ask("break", wanted());
    });
  }
  byId("breaking").addEventListener("submit", (event) => {
    event.preventDefault();
    damageAndRun();
  });
  byId("mend").addEventListener("click", mend);
  showValues();
  return (state) => showReport(app, state, mend);
}

function showReport(app, state, mend) {
  const report = byId("report");
  byId("mend").disabled = !state.damaged && state.divergence === null;
  const { divergence } = state;
  report.classList.toggle("caught", divergence !== null);
  report.classList.toggle("intact", divergence === null && state.damaged);
  if (divergence === null) {
    const words = [];
    if (state.damaged) {
      words.push(
        `The networks are damaged (${damageInWords(state.damage)}), and ${state.playing ? "so far " : ""}no step differs from exact arithmetic.`,
      );
      words.push(
        `The smallest margin is ${state.least === null ? "–" : decimal(state.least.margin)}: an ensemble survives a good deal.`,
      );
    }
    showOnce(report, words.join(), () => words.map((text) => element("p", {}, text)));
    return;
  }
  const key = `${divergence.step} ${damageInWords(state.damage)}`;
  const isNew = report.dataset.key !== key;
  showOnce(report, key, () => [
    element(
      "p",
      {},
      element("strong", {}, `Caught at step ${counted(divergence.step)}.`),
      ` ${capitalised(damageInWords(state.damage))}.`,
    ),
    comparison(app, divergence),
    element(
      "div",
      { class: "actions" },
      element("button", { type: "button", onclick: () => app.ask("toDivergence").then(() => app.show("step")) }, "Show that step"),
      element(
        "button",
        { type: "button", class: "primary", onclick: () => mend().then(() => app.ask("run", { speed: null })) },
        "Mend it and go on from there",
      ),
    ),
    element("p", { id: "first-wrong" }),
    element("p", { id: "later", "aria-live": "off" }),
  ]);
  const later = state.differed - 1;
  setText(
    byId("later"),
    later === 0
      ? ""
      : `The machine goes on with what its networks say: ${countedOf(later, "later step")} differ${later === 1 ? "s" : ""}, too.`,
  );
  if (!isNew) return;
  showFirstWrong(app, divergence.step);
  if (app.view === "break") report.scrollIntoView({ block: "nearest" });
}

/** Which prediction was the first to be wrong in a step. */
async function showFirstWrong(app, step) {
  const explained = await app.ask("explain", { step });
  const wrong = explained === null ? null : firstWrong(explained, app.data.networks);
  const shown = document.getElementById("first-wrong");
  if (wrong === null || shown === null) return;
  setText(
    shown,
    `The first prediction that is wrong: pass ${wrong.pass}, ${wrong.network}, output ${wrong.output} at bit ${wrong.bit}, ` +
      `${decimal(wrong.prediction, 3)} where the threshold is ${decimal(wrong.threshold, 3)}.`,
  );
}

/** What the machine and the reference made of the same operands, side by side. */
function comparison(app, divergence) {
  const { wordBits } = app.data.program;
  const show = (word) => (word === null ? "–" : String(signed(word, wordBits)));
  const row = (name, ...cells) =>
    element("tr", {}, element("th", { scope: "row" }, name), ...cells.map((cell) => element("td", {}, cell)));
  return element(
    "table",
    {},
    element(
      "caption",
      {},
      `${show(divergence.minuend)} − ${show(divergence.subtrahend)} at pc ${String(divergence.pc)}${app.lineOf(divergence.pc)}`,
    ),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        element("td", {}),
        element("th", { scope: "col" }, "word written"),
        element("th", { scope: "col" }, "next pc"),
      ),
    ),
    element(
      "tbody",
      {},
      row("damaged networks", show(divergence.machine.word), show(divergence.machine.nextPc)),
      row("exact arithmetic", show(divergence.reference.word), show(divergence.reference.nextPc)),
    ),
  );
}

function capitalised(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function damageInWords(damage) {
  const parts = [];
  if (damage.noise > 0) parts.push(`${decimal(damage.noise * 100, 1).replace(".0", "")} % noise`);
  if (damage.bits < 32) parts.push(`${damage.bits}-bit weights`);
  if (damage.removedShare > 0)
    parts.push(`${decimal(damage.removedShare * 100, 1).replace(".0", "")} % of the hidden units removed`);
  const units = Object.entries(damage.removedUnits).filter(([, removed]) => removed.length > 0);
  for (const [network, removed] of units) parts.push(`${countedOf(removed.length, "unit")} of ${network} removed`);
  if (damage.replaced.length > 0) parts.push(`the weights of ${damage.replaced.join(", ")} replaced by noise`);
  return parts.length > 0 ? parts.join(", ") : "mended since";
}
