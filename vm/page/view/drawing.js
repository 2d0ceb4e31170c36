// Canvases: sharp on every screen, in the colours of the scheme that is in force.

/**
 * Size the canvas's pixels to its box and clear it.
 * @param {HTMLCanvasElement} canvas @param {number} [width] @param {number} [height] in CSS pixels; default: its box
 * @returns {{ pen: CanvasRenderingContext2D, width: number, height: number }}
 */
export function cleanCanvas(canvas, width = canvas.clientWidth, height = canvas.clientHeight) {
  const scale = window.devicePixelRatio || 1;
  const [columns, rows] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (canvas.width !== columns || canvas.height !== rows) {
    canvas.width = columns;
    canvas.height = rows;
  }
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

const COLOURS = ["ground", "surface", "raised", "ink", "muted", "line", "accent", "read", "write", "bad", "band", "positive", "negative", "strong"];

/** The colours of the style sheet, by name. @returns {Record<string, string>} */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** The font of a canvas, in CSS pixels. */
export function penFont(pixels) {
  return `${pixels}px ${getComputedStyle(document.documentElement).getPropertyValue("--mono")}`;
}

/** A colour given as #rrggbb, mixed with a share 0..1 of another one. @returns {string} #rrggbb */
export function mixed(first, second, share) {
  const [a, b] = [levels(first), levels(second)];
  return `#${a.map((value, k) => Math.round(value + (b[k] - value) * share).toString(16).padStart(2, "0")).join("")}`;
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
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new ResizeObserver(redraw).observe(node);
}
