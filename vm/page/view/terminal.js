// The console of the machine: what it wrote, and what is typed for it to read.
import { byId, counted, countedOf, setText, textOf } from "./elements.js";

/** @returns {(state: any) => void} */
export function makeTerminal(app) {
  const output = byId("output");
  const typed = byId("typed");
  const send = /** @type {HTMLButtonElement} */ (byId("typing").querySelector("button[type=submit]"));
  byId("typing").addEventListener("submit", (event) => {
    event.preventDefault();
    const bytes = new TextEncoder().encode(`${typed.value}\n`);
    if (app.state.input.ended) app.ask("restart", { input: bytes, ended: true }).then(app.play);
    else app.ask("input", { bytes });
    typed.value = "";
  });
  byId("end-input").addEventListener("click", () => app.ask("endInput"));
  byId("typing").hidden = app.data.recording !== null;

  let shown = "";
  return (state) => {
    const key = `${state.outputLength} ${state.differed}`;
    if (key !== shown || !state.playing) {
      const hidden = state.outputLength - state.output.length;
      const text = (hidden > 0 ? `… ${counted(hidden)} bytes before this …\n` : "") + textOf(state.output);
      output.setAttribute("aria-live", state.playing ? "off" : "polite");
      if (output.textContent !== text) {
        const atEnd = output.scrollTop + output.clientHeight >= output.scrollHeight - 8;
        output.textContent = text;
        if (atEnd) output.scrollTop = output.scrollHeight;
      }
    }
    shown = key;
    const { input } = state;
    document.documentElement.classList.toggle("waiting", state.status === "needs-input");
    setText(send, input.ended ? "Run again with it" : "Send");
    byId("end-input").hidden = input.ended;
    const read = input.length > 0 ? `, ${counted(input.read)} of ${counted(input.length)} read` : "";
    setText(byId("console-words"), `${countedOf(state.outputLength, "byte")} written${read}`);
  };
}
