// Canvases: sharp on every screen, in the colours of the scheme that is in force.

/** The box of each element that `onAppearance` watches: asking for it again and again would make the browser lay out. */
const boxes = new WeakMap();
const dark = matchMedia("(prefers-color-scheme: dark)");
const COLOURS = [
  "surface",
  "raised",
  "ink",
  "muted",
  "line",
  "accent",
  "read",
  "write",
  "bad",
  "band",
  "positive",
  "negative",
  "strong",
];
/** @type {Record<string, string>|null} */
let style = null;
dark.addEventListener("change", () => {
  style = null;
});

/** Width and height of an element in CSS pixels. @returns {{ width: number, height: number }} */
export function boxOf(node) {
  return boxes.get(node) ?? { width: node.clientWidth, height: node.clientHeight };
}

/**
 * Size the canvas's pixels to its box and clear it.
 * @param {HTMLCanvasElement} canvas @param {{ width: number, height: number }} [box] in CSS pixels
 * @returns {{ pen: CanvasRenderingContext2D, width: number, height: number }}
 */
export function cleanCanvas(canvas, box = boxOf(canvas)) {
  const scale = window.devicePixelRatio || 1;
  const [columns, rows] = [Math.max(1, Math.round(box.width * scale)), Math.max(1, Math.round(box.height * scale))];
  if (canvas.width !== columns || canvas.height !== rows) {
    canvas.width = columns;
    canvas.height = rows;
  }
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, box.width, box.height);
  return { pen, width: box.width, height: box.height };
}

/** The colours of the style sheet, by name, and its font `mono`. */
export function colours() {
  if (style === null) {
    const computed = getComputedStyle(document.documentElement);
    style = Object.fromEntries([...COLOURS, "mono"].map((name) => [name, computed.getPropertyValue(`--${name}`).trim()]));
  }
  return style;
}

/** The font of a canvas, in CSS pixels. */
export function penFont(pixels) {
  return `${pixels}px ${colours().mono}`;
}

/** A colour given as #rrggbb, mixed with a share 0..1 of another one. @returns {string} #rrggbb */
export function mixed(first, second, share) {
  const [a, b] = [levels(first), levels(second)];
  return `#${a
    .map((value, k) =>
      Math.round(value + (b[k] - value) * share)
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}

/** Black or white, whichever has the higher contrast on a ground given as #rrggbb. */
export function legibleOn(ground) {
  const [red, green, blue] = levels(ground).map((level) => (level / 255) ** 2.2);
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return (luminance + 0.05) ** 2 > 1.05 * 0.05 ? "#000000" : "#ffffff";
}

function levels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

/** Call `redraw` when the scheme or the size of an element changes. */
export function onAppearance(node, redraw) {
  dark.addEventListener("change", redraw);
  new ResizeObserver(() => {
    boxes.set(node, { width: node.clientWidth, height: node.clientHeight });
    redraw();
  }).observe(node);
}
