// The buttons that travel through the run, and the speed.
import { byId, counted, countedOf, decimal, setText } from "./elements.js";

const SPEEDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, null]; // steps a second; null: as fast as it goes

/** Wire the buttons. @returns {(state: any) => void} shows a state in them */
export function makeTransport(app) {
  const speed = byId("speed");
  const chosenSpeed = () => SPEEDS[Number(speed.value)];
  const speedText = (value) => (value === null ? "full speed" : `${counted(value)} step${value === 1 ? "" : "s"}/s`);
  const showSpeed = () => {
    setText(byId("speed-value"), speedText(chosenSpeed()));
    speed.setAttribute("aria-valuetext", speedText(chosenSpeed()));
  };
  speed.max = String(SPEEDS.length - 1);
  speed.addEventListener("input", () => {
    showSpeed();
    if (app.state?.playing && app.state.speed !== undefined) app.ask("run", { speed: chosenSpeed() });
  });
  showSpeed();

  app.play = () => app.ask("run", { speed: chosenSpeed() });
  async function playFrom() {
    if (isOver(app.state)) await app.seekAndWait(app.state.first);
    await app.play();
  }
  const motions = {
    "to-start": () => app.ask("seek", { step: app.state.first }),
    back: () => app.ask("back", { count: 1 }),
    play: () => (app.state.playing ? app.ask("pause") : playFrom()),
    step: () => app.ask("step", { count: 1 }),
    over: () => app.ask("stepOver"),
    out: () => app.ask("stepOut"),
    here: () => app.ask("runTo", { address: app.chosen.place }),
    "last-write": () => app.ask("lastWrite", { address: app.chosen.word }),
  };
  for (const [id, move] of Object.entries(motions)) byId(id).addEventListener("click", () => app.state && move());

  return (state) => {
    document.documentElement.classList.toggle("playing", state.playing);
    byId("play-icon").setAttribute("href", state.playing ? "#icon-pause" : "#icon-play");
    const over = isOver(state);
    const word = state.playing ? "Pause" : over ? "Replay" : "Play";
    setText(byId("play-word"), word);
    byId("play").setAttribute("aria-label", word);
    for (const id of ["step", "over", "out"]) byId(id).disabled = over;
    for (const id of ["back", "to-start"]) byId(id).disabled = state.step <= state.first;
    byId("here").disabled = app.chosen.place === null;
    byId("last-write").disabled = app.chosen.word === null;
    setText(
      byId("rate"),
      state.recorded ? "recording" : state.stepsPerSecond > 0 ? `${counted(Math.round(state.stepsPerSecond))} steps/s` : "–",
    );
    const { unit } = app.data;
    setText(byId("unit-name"), `${unit.name}, ${state.damaged ? "damaged" : unit.stepKind}`);
    const lockstep = byId("lockstep");
    document.documentElement.classList.toggle("diverged", state.divergence !== null);
    if (state.divergence !== null) setText(lockstep, `differs since step ${counted(state.divergence.step)}`);
    else setText(lockstep, `${countedOf(state.compared, state.recorded ? "recorded step" : "step")} compared, all agree`);
    setText(byId("step-count"), `Step ${counted(state.step)}${state.end > state.step ? ` of ${counted(state.end)}` : ""}`);
    setText(byId("machine-state"), stateInWords(state));
    setText(
      byId("weakest-words"),
      state.least === null ? "" : `smallest margin ${decimal(state.least.margin)} at step ${counted(state.least.step)}`,
    );
  };
}

/** Whether the run has come to its end, and the cursor is there. */
function isOver(state) {
  return ["halted", "pc-outside", "bad-address", "recording-ends"].includes(state.status) && state.step === state.end;
}

/** How the machine stands, or why the last motion ended. */
function stateInWords(state) {
  if (state.status === "needs-input") return "waits for input";
  if (state.playing) return "";
  return state.message ?? state.stop?.text ?? "";
}
