// One key for everything the page can do; the help dialog lists them.
import { byId, element } from "./elements.js";

/** @returns {void} */
export function makeKeyboard(app) {
  const press = (id) => () => byId(id).disabled || byId(id).click();
  /** @type {[string[], string, string, () => void][]} */
  const keys = [
    [[" ", "k"], "space, K", "play or pause", press("play")],
    [["ArrowRight"], "→", "one instruction (stepi in the debugger)", press("step")],
    [["ArrowLeft"], "←", "one instruction back (back)", press("back")],
    [["n"], "N", "over the macro, to the next statement (step)", press("over")],
    [["N"], "shift N", "back over the macro, to the statement before", () => app.ask("backOver")],
    [["o"], "O", "out of the macro or routine, to its end (finish)", press("out")],
    [["r"], "R", "run to the chosen line (until)", press("here")],
    [["w"], "W", "back to the last write of the chosen word", press("last-write")],
    [
      ["W"],
      "shift W",
      "on to the next write of the chosen word",
      () => app.chosen.word !== null && app.ask("nextWrite", { address: app.chosen.word }),
    ],
    [["b"], "B", "break point at the current instruction, or remove it", () => app.toggleStopHere()],
    [["g"], "G", "run back to the last break point", () => app.ask("runBack")],
    [["m"], "M", "go to the least certain step", () => app.ask("leastCertain")],
    [["d"], "D", "go to the first step that differs", () => app.ask("toDivergence")],
    [["Home"], "home", "to the start", press("to-start")],
    [["End"], "end", "run on at full speed", () => app.ask("run", { speed: null })],
    [["1", "2", "3", "4", "5"], "1 – 5", "the views", () => {}],
    [["i"], "I", "type input", () => byId("typed").focus()],
    [["Escape"], "esc", "close the network", press("close-hidden")],
    [["?"], "?", "this list", () => byId("help").showModal()],
  ];
  const byKey = new Map(keys.flatMap(([signs, , , act]) => signs.map((sign) => [sign, act])));
  const views = ["step", "memory", "certainty", "break", "proof"];

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || app.state === null || byId("help").open) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.matches("input[type=text], select")) return;
    if (target.matches("input[type=range]") && /^(Arrow|Home|End)/.test(event.key)) return;
    if (target.matches("button, [role=tab]") && event.key === " ") return;
    if (/^(Arrow|Home|End)/.test(event.key) && target.matches(".scroll, [role=tab]")) return;
    const act = byKey.get(event.key) ?? (event.shiftKey ? undefined : byKey.get(event.key.toLowerCase()));
    if (act === undefined) return;
    event.preventDefault();
    if (/^[1-5]$/.test(event.key)) app.show(views[Number(event.key) - 1]);
    else act();
  });

  byId("keys").replaceChildren(
    ...keys.flatMap(([, name, does]) => [element("dt", {}, name), element("dd", {}, does)]),
    element("dt", {}, "↑ ↓ → ←"),
    element(
      "dd",
      {},
      "in the program: from line to line, open and close a macro; in the memory map: from word to word; in a strip: from bit to bit",
    ),
  );
  byId("show-help").addEventListener("click", () => byId("help").showModal());
  byId("skip").addEventListener("click", () => byId("main").focus());
}
