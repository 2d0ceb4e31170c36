// The page: one state, shown by every view, and what the views share.
import { connect } from "../client.js";
import { SourceMap } from "../source.js";
import { signed, uint32FromBase64, wordAt } from "../words.js";
import { makeBreaking } from "./breaking.js";
import { makeCertainty } from "./certainty.js";
import { byId, printable, seldom, setText } from "./elements.js";
import { makeHidden } from "./hidden.js";
import { makeKeyboard } from "./keyboard.js";
import { readLink, writeLink } from "./link.js";
import { makeListing } from "./listing.js";
import { labeller, makeMemory } from "./memory.js";
import { makeProof } from "./proof.js";
import { makeStep } from "./step.js";
import { makeTabs, VIEWS } from "./tabs.js";
import { makeTerminal } from "./terminal.js";
import { makeTimeline } from "./timeline.js";
import { makeTransport } from "./transport.js";

const MOST_WORDS = 65536; // of memory that are shown at a time

/** Show a program. @param {any} data @param {string} engineSource */
function openPage(data, engineSource) {
  const label = labeller(data.program.labels);
  const waiting = [];
  let frame = 0;
  const app = {
    data,
    client: null,
    state: null,
    view: "step",
    map: new SourceMap(data.source, data.program.memorySize),
    chosen: { place: null, word: null, decision: null },
    stops: new Set(),
    watches: new Set(),
    /** Ask the machine; what it answers, or null, and then the notice says why. */
    async ask(type, fields = {}) {
      try {
        const answer = await client.request(type, fields);
        setText(byId("notice"), "");
        return answer;
      } catch (error) {
        setText(byId("notice"), error instanceof Error ? error.message : String(error));
        return null;
      }
    },
    /** Travel to a step and wait until the machine is there. */
    async seekAndWait(step) {
      await app.ask("seek", { step });
      await new Promise((done) => {
        waiting.push({ met: (state) => !state.playing || state.status === "needs-input", done });
        client.request("snapshot").then(receive);
      });
    },
    /** The step that is looked at: the one to come, or at the end, and in a recording, the last one. */
    subject() {
      if (app.state === null) return null;
      return data.recording !== null ? (app.state.last ?? app.state.next) : (app.state.next ?? app.state.last);
    },
    /** An address by its label. */
    nameOf(address) {
      const at = Number(signed(address, data.program.wordBits));
      return at === -1 ? "console" : (label(Number(address)) ?? String(address));
    },
    lineOf(address) {
      const line = app.map.userLine(Number(address));
      return line === null ? "" : `, line ${line}`;
    },
    /** The words of the image, as signed numbers. */
    imageWords() {
      const { low: lowText, high: highText, wordBits } = data.program;
      const low = uint32FromBase64(lowText);
      const high = highText === null ? null : uint32FromBase64(highText);
      return Array.from(low, (_, k) => signed(wordAt({ low, high }, k), wordBits));
    },
    choosePlace(address) {
      app.chosen.place = address;
      app.redraw();
    },
    chooseWord(address) {
      app.chosen.word = address;
      app.redraw();
    },
    openNetwork(place, byHand) {
      app.chosen.decision = place;
      hidden.open(place, byHand);
    },
    networkClosed() {
      app.chosen.decision = null;
      step.forget();
    },
    /** Remove a hidden unit from the step that is looked at on, or put it back. */
    async toggleUnit(network, unit) {
      const subject = app.subject();
      if (subject.step !== app.state.step) await app.seekAndWait(subject.step);
      const { damage } = app.state;
      const removed = new Set(damage.removedUnits[network] ?? []);
      if (!removed.delete(unit)) removed.add(unit);
      await app.ask("break", { ...damage, removedUnits: { ...damage.removedUnits, [network]: [...removed] } });
    },
    toggleStopHere() {
      const subject = app.state.next;
      if (subject !== null) listing.toggleStop(subject.pc);
    },
    sendStops() {
      app.ask("breakpoints", { addresses: [...app.stops], watches: [...app.watches], marginBelow: null, divergence: false });
    },
    show: (view) => tabs.show(view),
    redraw() {
      if (frame === 0) frame = requestAnimationFrame(draw);
    },
  };

  const parts = [makeTransport(app), makeTimeline(app), makeTerminal(app), makeBreaking(app), makeCertainty(app)];
  const listing = makeListing(app);
  const memory = makeMemory(app);
  const step = makeStep(app);
  const hidden = makeHidden(app);
  const tabs = makeTabs(app);
  makeProof(app);
  makeKeyboard(app);
  const follow = seldom(400, () => {
    if (app.state.playing) return;
    const { decision } = app.chosen;
    writeLink({
      step: app.state.step,
      view: app.view,
      word: app.chosen.word,
      bit: decision === null ? null : `${decision.pass}.${decision.output}.${decision.bit}`,
    });
  });

  function draw() {
    frame = 0;
    const { state } = app;
    if (state === null) return;
    for (const show of parts) show(state);
    listing.show(state);
    step.show(state);
    if (tabs.isVisible("memory")) memory.show(state);
    follow();
  }
  function receive(state) {
    app.state = state;
    app.redraw();
    for (const each of [...waiting]) {
      if (!each.met(state)) continue;
      waiting.splice(waiting.indexOf(each), 1);
      each.done();
    }
  }

  showNames(data);
  const client = connect(data, engineSource, receive);
  app.client = client;
  begin(app, step);
  return app;
}

/** Open at the place the address names. */
async function begin(app, step) {
  const open = async (first) => {
    const asked = readLink();
    if (asked.view !== null && VIEWS.includes(asked.view)) app.show(asked.view);
    else if (first) app.show("step");
    if (asked.word !== null && asked.word < app.data.program.memorySize) app.chooseWord(asked.word);
    if (asked.step !== null && asked.step !== app.state?.step) await app.seekAndWait(asked.step);
    const place = asked.bit === null ? null : decisionNamed(app.data, asked.bit);
    if (place !== null) step.choose(place);
  };
  app.sendStops();
  if (app.data.program.memorySize > MOST_WORDS) await app.ask("view", { from: 0, count: MOST_WORDS });
  await open(true);
  window.addEventListener("hashchange", () => open(false));
}

/** The place of the decision "2.G.11": pass 2, output G, bit 11. */
function decisionNamed(data, name) {
  const [pass, output, bit] = name.split(".");
  const step = data.schedule[Number(pass)];
  const network = step && data.networks.find((each) => each.name === step.network);
  const outputIndex = network ? network.outputs.indexOf(output) : -1;
  if (outputIndex < 0 || !/^\d+$/.test(bit ?? "") || Number(bit) >= step.positions) return null;
  const [group, position] = network.pooled
    ? [Number(bit), 0]
    : [Math.floor(Number(bit) / network.group), Number(bit) % network.group];
  return { pass: Number(pass), network: network.name, group, position, output, outputIndex, bit: Number(bit) };
}

function showNames(data) {
  setText(byId("name"), printable(data.name));
  setText(byId("description"), printable(data.description ?? ""));
  setText(byId("word-size"), `${data.program.wordBits}-bit ${data.program.isa}`);
}

/** @type {any} */ (window).machine = openPage(JSON.parse(byId("sbn-data").textContent), byId("sbn-engine").textContent).client; // for whoever opens the console
