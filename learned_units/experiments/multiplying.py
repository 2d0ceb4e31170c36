"""Training the Neural GPU's cell to multiply, from factors and products alone.

The tape is that of `products_tape.py`. Bit k of the product of two numbers of n bits can stand SLACK steps after step
n + k, when the digits have met and the carries have come up; from there on it is asked for after every step. The
cell, the noise on the state and the optimiser are those of the unit (`learned_units/neural_gpu/`); factors grow from
one length to the next as soon as few bits are wrong. A second phase has longer factors and more noise.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from learned_units.experiments import products_tape
from learned_units.experiments.products_tape import Examples
from learned_units.neural_gpu import network, training
from learned_units.neural_gpu.network import Network

MAPS = 24
BATCH = 32
FEW = 0.05  # share of wrong bits, as a running mean, with which the next length begins
MEMORY = 0.95  # of the running mean, for each update
LEAST_UPDATES = 50  # of a length
EARLIER = 0.3  # of the batches are of an earlier length
SLACK = 4  # steps
STAYING = 3  # steps asked for after the last bit has to be right
CELLS_AT_ONCE = 16_384  # in measuring: their states fit the caches

Report = Callable[[float, float], None]


class Phase(NamedTuple):
    """A part of the training."""

    lengths: tuple[int, ...]  # bits of the factors, at most: one after the other, as they are learned
    noise: float  # half width of the uniform noise on the state
    updates: int
    learning_rate: float
    slowing: float  # from that part of the updates on it falls


PHASES = (Phase((2, 3, 5, 8, 12), 0.2, 4000, 0.012, 0.75), Phase((12, 18), 0.3, 600, 0.006, 0.5))


def steps(length: int) -> int:
    """How many steps a tape for factors of `length` bits makes."""
    return 3 * length - 1 + SLACK + STAYING


def fit(seed: int, phases: Sequence[Phase], progress: Report) -> Network:
    """A network trained in these phases. progress(part done 0..1, loss) is called now and then."""
    rng = np.random.default_rng(seed)
    weights = network.initialise(jax.random.key(seed), products_tape.SYMBOLS, MAPS)
    before, total = 0, sum(phase.updates for phase in phases)
    for phase in phases:

        def report(part: float, loss: float, before: int = before, updates: int = phase.updates) -> None:
            progress((before + part * updates) / total, loss)

        weights = _fit(weights, phase, rng, report)
        before += phase.updates
    return weights


def _fit(weights: Network, phase: Phase, rng: np.random.Generator, progress: Report) -> Network:
    """Go through one phase with weights, which are consumed."""
    optimiser = training.make_optimiser(phase.updates, phase.learning_rate, phase.slowing)
    moments = optimiser.init(weights)
    stage, begun, wrong = 0, 0, 1.0
    losses = []
    for update in range(phase.updates):
        earlier = stage > 0 and rng.random() < EARLIER
        longest = phase.lengths[rng.integers(stage)] if earlier else phase.lengths[stage]
        levels = rng.integers(0, 256, (steps(longest), BATCH, 2 * longest, MAPS), np.uint8)
        given = batch(rng, longest), levels, np.float32(phase.noise)
        weights, moments, loss, mistakes = _update(weights, moments, *given, optimiser=optimiser)
        losses.append(float(loss))
        if not earlier:
            wrong = MEMORY * wrong + (1 - MEMORY) * float(mistakes)
        if wrong < FEW and update - begun >= LEAST_UPDATES and stage + 1 < len(phase.lengths):
            stage, begun, wrong = stage + 1, update, 1.0
        if len(losses) == training.UPDATES_PER_REPORT:
            progress((update + 1) / phase.updates, float(np.mean(losses)))
            losses.clear()
    return weights


def batch(rng: np.random.Generator, longest: int) -> Examples:
    """Random factors for one update, half of them of `longest` bits and half of any length up to it."""
    lengths = np.where(rng.random(BATCH) < 0.5, longest, rng.integers(1, longest + 1, BATCH))
    each = []
    for length, count in zip(*np.unique(lengths, return_counts=True), strict=True):
        ones = rng.random((2, count, 1)) ** 0.5  # more ones than zeros: they are what there is to add
        first, second = (rng.random((2, count, length)) < ones).astype(np.uint8)
        each.append(products_tape.lay_out(first, second, longest))
    return Examples(*(np.concatenate(parts) for parts in zip(*each, strict=True)))


def answers(weights: Network, symbols: np.ndarray) -> np.ndarray:
    """The bits that a network gives for tapes uint8 [count, 4 half], each laid out for its length: [count, 2 half]."""
    count, half = len(symbols), symbols.shape[1] // 4
    at_once = max(1, CELLS_AT_ONCE // (2 * half))
    found = []
    for begin in range(0, count, at_once):
        block = symbols[begin : begin + at_once]
        missing = min(at_once, 1 << (len(block) - 1).bit_length()) - len(block)  # few shapes: few compilations
        logits = _predict(weights, np.pad(block, ((0, missing), (0, 0))), steps(half))
        found.append(np.asarray(logits)[: len(block)] > 0)
    return np.concatenate(found).astype(np.uint8)


@functools.partial(jax.jit, static_argnames=("steps",))
def _predict(weights: Network, symbols: jax.Array, steps: int) -> jax.Array:
    """Logits after that many steps: uint8 [count, 4 half] -> float32 [count, 2 half]."""

    def advance(state: jax.Array, entering: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        return _step(weights, state, entering)[0], None

    entering = products_tape.incoming(symbols, steps)
    return network.logits(weights, jax.lax.scan(advance, _start(weights, symbols), entering)[0])


@functools.partial(jax.jit, static_argnames=("optimiser",), donate_argnums=(0, 1))
def _update(
    weights: Network,
    moments: optax.OptState,
    examples: Examples,
    levels: jax.Array,
    noise: jax.Array,
    optimiser: optax.GradientTransformation,
) -> tuple[Network, optax.OptState, jax.Array, jax.Array]:
    """One update, with the loss and the share of wrong bits before it."""
    (loss, mistakes), gradient = jax.value_and_grad(_loss, has_aux=True)(weights, examples, levels, noise)
    with jax.numpy_dtype_promotion("standard"):  # optax's bias correction mixes integers and floats
        change, moments = optimiser.update(gradient, moments, weights)
    return jax.tree.map(jnp.add, weights, change), moments, loss, mistakes


def _loss(weights: Network, examples: Examples, levels: jax.Array, noise: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Cross-entropy over the bits that can be known, after every step, and the penalty; and the share of wrong bits.

    levels, uint8 [steps, count, 2 half, m], are those of the noise, and `noise` is its half width.
    """
    number, half = len(levels), examples.symbols.shape[1] // 4
    exact = examples.answers.astype(jnp.float32)
    length = examples.lengths[:, None]
    bit = jnp.arange(2 * half)[None] - (half - length)
    known = jnp.where((bit >= 0) & (bit < 2 * length), length + bit + SLACK, number + 1)

    def advance(state: jax.Array, each: tuple[jax.Array, jax.Array, tuple[jax.Array, jax.Array]]):
        step, level, entering = each
        noisy = state + noise * (level.astype(jnp.float32) / np.float32(127.5) - np.float32(1))
        state, beyond = _step(weights, noisy, entering)
        logits = network.logits(weights, state)
        asked = (step >= known).astype(jnp.float32)
        entropy = optax.sigmoid_binary_cross_entropy(logits, exact) * asked
        wrong = ((logits > 0) != (exact > 0)).astype(jnp.float32) * asked
        return state, (entropy.sum(), wrong.sum(), asked.sum(), beyond)

    each = (jnp.arange(1, number + 1), levels, products_tape.incoming(examples.symbols, number))
    _, (entropy, wrong, asked, beyond) = jax.lax.scan(advance, _start(weights, examples.symbols), each)
    return entropy.sum() / asked.sum() + training.PENALTY * beyond.mean(), wrong.sum() / asked.sum()


def _start(weights: Network, symbols: jax.Array) -> jax.Array:
    """The first state of the cells of the product: float32 [count, 2 half, m]."""
    half = symbols.shape[1] // 4
    return network.start(weights, symbols[:, half : 3 * half].astype(jnp.int32))


def _step(weights: Network, state: jax.Array, entering: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    """One step, with a cell at either end that holds the digit which enters; and the size of what the penalty is on."""
    lower, upper = (network.start(weights, each.astype(jnp.int32)[:, None]) for each in entering)
    state, activity = network.step(weights, jnp.concatenate([lower, state, upper], 1))
    beyond = sum(jax.nn.relu(jnp.abs(each) - training.LINEAR_RANGE).mean() for each in activity)
    return state[:, 1:-1], jnp.asarray(beyond)
