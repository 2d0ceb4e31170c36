/**
 * Words, limbs and bits. A machine word of W bits (4 .. 64), 0 .. 2^W - 1, is a number up to 32 bits and a bigint above; the
 * engine holds it as two uint32 limbs, low and high. Bits are listed from the least significant one on.
 */

/** @typedef {number | bigint} Word */

export const LIMB = 32;

/** The bits of each limb that belong to a word. @param {number} wordBits @returns {{ low: number, high: number }} */
export function limbMasks(wordBits) {
  const mask = (/** @type {number} */ bits) => (bits >= LIMB ? 0xffffffff : bits <= 0 ? 0 : 2 ** bits - 1);
  return { low: mask(wordBits), high: mask(wordBits - LIMB) };
}

/** The word of two limbs. @param {number} low @param {number} high @param {number} wordBits @returns {Word} */
export function wordOfLimbs(low, high, wordBits) {
  return wordBits > LIMB ? (BigInt(high) << 32n) | BigInt(low) : low;
}

/** @param {Word} word @returns {{ low: number, high: number }} */
export function limbsOf(word) {
  const whole = BigInt(word);
  return { low: Number(whole & 0xffffffffn), high: Number(whole >> 32n) };
}

/** The number that a word is in two's complement. @param {Word} word @param {number} bits @returns {Word} */
export function signed(word, bits) {
  if (typeof word === "bigint") return BigInt.asIntN(bits, word);
  return word >= 2 ** (bits - 1) ? word - 2 ** bits : word;
}

/** The word for an integer, modulo 2^bits. @param {Word} value @param {number} bits @returns {Word} */
export function unsigned(value, bits) {
  const word = BigInt.asUintN(bits, BigInt(value));
  return bits > LIMB ? word : Number(word);
}

/** @param {Word} word @param {number} bits @returns {Uint8Array} */
export function bitsOf(word, bits) {
  const { low, high } = limbsOf(word);
  return Uint8Array.from({ length: bits }, (_, k) => ((k < LIMB ? low : high) >>> (k % LIMB)) & 1);
}

/** The word whose bits these are. @param {ArrayLike<number>} bits @returns {Word} */
export function wordOf(bits) {
  let word = 0n;
  for (let k = bits.length - 1; k >= 0; k--) word = (word << 1n) | BigInt(bits[k]);
  return bits.length > LIMB ? word : Number(word);
}

/** Hexadecimal digits, as many as a word of so many bits has. @param {Word} word @param {number} bits @returns {string} */
export function hex(word, bits) {
  return word.toString(16).padStart(Math.ceil(bits / 4), "0");
}

/** @param {string} text @returns {Uint8Array} */
export function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let k = 0; k < binary.length; k++) bytes[k] = binary.charCodeAt(k);
  return bytes;
}

/** Little-endian uint32. @param {string} text @returns {Uint32Array} */
export function uint32FromBase64(text) {
  return new Uint32Array(fromBase64(text).buffer);
}

/** Little-endian float32. @param {string} text @returns {Float32Array} */
export function float32FromBase64(text) {
  return new Float32Array(fromBase64(text).buffer);
}

/**
 * Word k of a window of memory as State carries it.
 * @param {{ low: Uint32Array, high: Uint32Array | null }} window @param {number} k @returns {Word}
 */
export function wordAt(window, k) {
  return window.high ? (BigInt(window.high[k]) << 32n) | BigInt(window.low[k]) : window.low[k];
}
