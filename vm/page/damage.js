/** Breaking the weights: noise, fewer bits, units removed, whole networks replaced by noise. Seeded: the same damage every time. */

/**
 * noise: 0 .. 0.2, times each tensor's root mean square. bits: 32 (as stored) .. 2, levels of each tensor's range.
 * removedShare: 0 .. 1 of the hidden units of every network; removedUnits: more of them, by network. replaced: networks whose
 * weights are noise of the same scale.
 * @typedef {{ noise: number, bits: number, removedShare: number, removedUnits: { [network: string]: number[] },
 *   replaced: string[], seed: number }} Damage
 */

/** @type {Damage} */
export const NO_DAMAGE = { noise: 0, bits: 32, removedShare: 0, removedUnits: {}, replaced: [], seed: 1 };

/** Whether it changes any weight. @param {Damage} damage */
export function isDamage(damage) {
  const removed = Object.values(damage.removedUnits).some((units) => units.length > 0);
  return damage.noise > 0 || damage.bits < 32 || damage.removedShare > 0 || removed || damage.replaced.length > 0;
}

/**
 * Damage as it was asked for, with what is left out taken from NO_DAMAGE.
 * @param {Partial<Damage>} asked @param {import("./network.js").Network[]} networks
 * @returns {Damage} @throws Error for a value out of range or a network that is not there
 */
export function checkedDamage(asked, networks) {
  const damage = { ...NO_DAMAGE, ...asked };
  const within = (/** @type {string} */ what, /** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) => {
    if (!(value >= low && value <= high)) throw new Error(`${what} is ${value}; it is ${low} to ${high}`);
  };
  within("the noise", damage.noise, 0, 1);
  within("the number of bits", damage.bits, 2, 32);
  within("the share of units removed", damage.removedShare, 0, 1);
  within("the seed", damage.seed, 0, 2 ** 31 - 1);
  for (const name of [...damage.replaced, ...Object.keys(damage.removedUnits)]) {
    const network = networks.find((each) => each.name === name);
    if (!network) throw new Error(`there is no network '${name}'`);
    for (const unit of damage.removedUnits[name] ?? []) within(`a unit of '${name}'`, unit, 0, network.units - 1);
  }
  return damage;
}

/** Let every network predict with its stored weights, damaged. @param {import("./network.js").Network[]} networks @param {Damage} damage */
export function applyDamage(networks, damage) {
  networks.forEach((network, k) => {
    if (!isDamage(damage)) network.use(network.stored);
    else network.use(damagedWeights(network, damage, damage.seed * 1009 + k * 31));
  });
}

/**
 * @param {import("./network.js").Network} network @param {Damage} damage @param {number} seed
 * @returns {import("./network.js").Weights}
 */
function damagedWeights(network, damage, seed) {
  const replaced = damage.replaced.includes(network.name);
  const tensor = (/** @type {Float32Array} */ stored, /** @type {number} */ stream) => {
    const normal = normals(seed + stream);
    const scale = Math.sqrt(stored.reduce((sum, weight) => sum + weight * weight, 0) / stored.length);
    const weights = stored.map((weight) => {
      const noise = scale * normal();
      return replaced ? noise : weight + damage.noise * noise;
    });
    return damage.bits < 32 ? quantised(weights, damage.bits) : weights;
  };
  const inner = tensor(network.stored.inner, 1);
  const outer = tensor(network.stored.outer, 2);
  const removed = removedUnits(network, damage, seed);
  const rows = inner.length / network.units;
  for (const unit of removed) {
    for (let row = 0; row < rows; row++) inner[row * network.units + unit] = 0;
    outer.fill(0, unit * network.columns, (unit + 1) * network.columns);
  }
  return { inner, outer, removed };
}

/** The nearest of 2^bits - 1 equally spaced levels round 0. @param {Float32Array} weights @param {number} bits */
function quantised(weights, bits) {
  const largest = weights.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
  const step = largest / (2 ** (bits - 1) - 1);
  return step > 0 ? weights.map((weight) => Math.round(weight / step) * step) : weights;
}

/** @param {import("./network.js").Network} network @param {Damage} damage @param {number} seed */
function removedUnits(network, damage, seed) {
  const order = Array.from({ length: network.units }, (_, unit) => unit);
  const uniform = uniforms(seed + 3);
  for (let k = order.length - 1; k > 0; k--) {
    const other = Math.floor(uniform() * (k + 1));
    [order[k], order[other]] = [order[other], order[k]];
  }
  const share = order.slice(0, Math.round(damage.removedShare * network.units));
  return [...new Set([...share, ...(damage.removedUnits[network.name] ?? [])])].sort((one, other) => one - other);
}

/** Numbers uniform in [0, 1): mulberry32. @param {number} seed */
function uniforms(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Standard normal numbers (Box and Muller). @param {number} seed */
function normals(seed) {
  const uniform = uniforms(seed);
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
