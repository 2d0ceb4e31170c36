// What was verified for these weights, what is learned and what is not: said in the page, from the data it was made with.
import { byId, counted, decimal, element, setText } from "./elements.js";
import { verifiedMinimum } from "./timeline.js";

/** Fill the view, which never changes, and the footer. */
export function makeProof(app) {
  const { unit, networks, recording } = app.data;
  const heading = (text) => element("h3", {}, text);
  const nodes = [];
  if (recording !== null) {
    nodes.push(element("p", { class: "banner" }, recordedInWords(app.data)));
  }
  nodes.push(heading("What is learned"), element("p", {}, unit.scope.sentence), scopeTable(unit.scope));
  nodes.push(heading("What was verified"));
  if (unit.verified !== null) nodes.push(element("p", {}, verifiedInWords(app)));
  for (const claim of unit.claims) {
    const margin = claim.smallestMargin === null ? "" : `, smallest margin ${decimal(claim.smallestMargin, 3)}`;
    nodes.push(element("p", {}, `${claim.operands}: ${counted(claim.cases)} cases${margin}.`));
  }
  if (unit.verified === null && unit.claims.length === 0)
    nodes.push(
      element("p", {}, unit.tensorHash === null ? "This unit has no trained weights." : "Nothing is recorded for these weights."),
    );
  if (networks.length > 0) nodes.push(networkTable(networks));
  if (unit.tensorHash !== null)
    nodes.push(
      element(
        "p",
        {},
        "Claims belong to weights, not to seeds. The hash of these: ",
        element("code", {}, unit.tensorHash),
        ` (seed ${unit.seed ?? "–"}; verified on ${unit.origin}).`,
      ),
    );
  nodes.push(heading("What this page does"));
  const page =
    recording !== null
      ? "No network computes here: the steps, words and margins are those of the recorded run. An integer reference in the page " +
        "executed every step, too, and the two were compared when the page was opened."
      : "It is a second implementation of the unit, in JavaScript, with these weights. Its sums are rounded a little differently, by " +
        "far less than the nearest threshold. Beside it an integer reference executes every step; the two are compared after each.";
  nodes.push(element("p", {}, page));
  nodes.push(
    heading("What is not claimed"),
    element(
      "ul",
      { class: "claims" },
      ...[
        "Template matching (the encoder), the wiring between the passes and the thresholds were written by hand.",
        "On these inputs a linear map could represent the same functions. What is shown is that trained, nonlinear networks reach " +
          "them exactly, from few examples.",
        "A margin is confidence, not correctness. Correctness comes from the enumeration and from the comparison at every step.",
        "Memory is finite: the machine is universal up to its memory.",
      ].map((text) => element("li", {}, text)),
    ),
  );
  byId("proof").replaceChildren(...nodes);
  const hash = unit.tensorHash === null ? "" : ` Weights ${unit.tensorHash.replace(/^sha256:/, "").slice(0, 12)}…`;
  setText(
    byId("footer"),
    recording !== null
      ? recordedInWords(app.data)
      : `Every difference, branch and next pc here is predicted live by trained networks and compared with exact arithmetic.${hash}`,
  );
}

/** That the page plays a recording, and of what. */
export function recordedInWords({ unit, recording }) {
  const end = recording.complete ? "the whole run" : "the beginning of the run";
  return (
    `This is a recording: ${end} of ${counted(recording.steps)} steps on the unit ${unit.name}, which has no engine in this page. ` +
    "You can travel through it; you cannot change it."
  );
}

function verifiedInWords(app) {
  const { verified } = app.data.unit;
  const parts = [];
  if (verified.inputs !== null)
    parts.push(
      `Each network was run on every input it can receive, ${counted(verified.inputs)} in all, and answered right on each of them.`,
    );
  else parts.push(`${verified.kind}.`);
  const smallest = verifiedMinimum(app.data);
  if (smallest !== null) parts.push(`No output came closer to its threshold than ${decimal(smallest, 3)} of the nominal distance.`);
  if (verified.schedules !== null)
    parts.push(
      `That the passes compose to subtraction and branch was checked for ${counted(verified.schedules)} schedules: ` +
        "every width from 4 to 64 bits, both instruction sets.",
    );
  return parts.join(" ");
}

function scopeTable(scope) {
  const rows = [
    ["difference", scope.difference],
    ["branch decision", scope.decision],
    ["next pc", scope.select],
    ["native glue", scope.glue],
  ];
  return element(
    "table",
    {},
    element(
      "tbody",
      {},
      ...rows.map(([name, what]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, what))),
    ),
  );
}

function networkTable(networks) {
  const head = ["network", "examples", "hidden units", "smallest margin"];
  return element(
    "div",
    { class: "wide" },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
      element(
        "tbody",
        {},
        ...networks.map((network) =>
          element(
            "tr",
            {},
            element("th", { scope: "row" }, network.name),
            element("td", {}, counted(network.families.length * network.group)),
            element("td", {}, counted(network.units)),
            element("td", {}, network.smallestMargin === null ? "–" : decimal(network.smallestMargin, 3)),
          ),
        ),
      ),
    ),
  );
}
