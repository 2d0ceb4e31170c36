// The views and their tabs. On a large screen memory is beside the others and has no tab.
import { byId } from "./elements.js";

export const VIEWS = ["step", "memory", "certainty", "break", "proof"];

/** @returns {{ show: (view: string) => void, isVisible: (view: string) => boolean }} */
export function makeTabs(app) {
  const wide = matchMedia("(min-width: 1720px)");
  const tabs = () => VIEWS.filter((view) => view !== "memory" || !wide.matches);

  function show(view) {
    if (wide.matches && view === "memory") {
      byId("memory").focus();
      view = app.view === "memory" ? "step" : app.view;
    }
    app.view = view;
    for (const each of VIEWS) {
      const chosen = each === view;
      const tab = byId(`tab-${each}`);
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      byId(`view-${each}`).hidden = !isVisible(each);
    }
    byId("view-memory").setAttribute("role", wide.matches ? "region" : "tabpanel");
    app.redraw();
  }
  const isVisible = (view) => view === app.view || (view === "memory" && wide.matches);

  for (const view of VIEWS) byId(`tab-${view}`).addEventListener("click", () => show(view));
  byId("tab-step").parentElement.addEventListener("keydown", (event) => {
    const order = tabs();
    const at = order.indexOf(app.view);
    const to = {
      ArrowRight: (at + 1) % order.length,
      ArrowLeft: (at + order.length - 1) % order.length,
      Home: 0,
      End: order.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    show(order[to]);
    byId(`tab-${order[to]}`).focus();
  });
  wide.addEventListener("change", () => show(app.view));
  return { show, isVisible };
}
