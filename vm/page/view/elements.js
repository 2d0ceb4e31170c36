// Elements of the page and the text in them. Text is set as text, never as markup.

/** @param {string} id @returns {any} the element of that id */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element ${id}`);
  return found;
}

/**
 * A new element. Attributes that are null or false are left out; children are nodes or text.
 * @param {string} tag @param {Record<string, any>} [attributes] @param {...(Node|string|null)} children
 * @returns {any}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue;
    if (name === "onclick") made.addEventListener("click", value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child !== null) made.append(child);
  return made;
}

/** Change the text of an element only where it differs: what did not change is not announced again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Replace what an element holds, unless `key` says that it shows the same already. */
export function showOnce(node, key, children) {
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  node.replaceChildren(...children());
}

/** A number with commas: 1,234,567. */
export function counted(number) {
  return number.toLocaleString("en-US");
}

/** "1 step", "1,204 steps". */
export function countedOf(number, one) {
  return `${counted(number)} ${one}${number === 1 ? "" : "s"}`;
}

/** A margin or prediction as people read it: a few digits, and more of a number that they would show as 0. */
export function decimal(value, digits = 2) {
  if (!Number.isFinite(value)) return "–";
  return value !== 0 && Math.abs(value) < 10 ** -digits ? value.toPrecision(1) : value.toFixed(digits);
}

/** Bytes as text: UTF-8; what is none becomes U+FFFD. */
export function textOf(bytes) {
  return printable(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
}

/** Text with pictures for control characters, but for tab and new line. */
export function printable(text) {
  return text
    .replace(/\r\n/g, "\n")
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, (sign) =>
      sign === "\u007f" ? "\u2421" : String.fromCharCode(0x2400 + sign.charCodeAt(0)),
    );
}

/** Run `work` at most once every `pause` ms, and once after the last call. */
export function seldom(pause, work) {
  let last = -Infinity;
  let waiting = 0;
  return () => {
    if (waiting) return;
    const left = Math.max(0, last + pause - performance.now());
    waiting = window.setTimeout(() => {
      waiting = 0;
      last = performance.now();
      work();
    }, left);
  };
}

/** Ask one question at a time: while an answer is under way only the newest of the others is kept. */
export function newestOnly(ask) {
  let busy = false;
  let next = null;
  const start = async (given) => {
    busy = true;
    try {
      await ask(...given);
    } finally {
      busy = false;
      if (next !== null) {
        const later = next;
        next = null;
        start(later);
      }
    }
  };
  return (...given) => {
    if (busy) next = given;
    else start(given);
  };
}
