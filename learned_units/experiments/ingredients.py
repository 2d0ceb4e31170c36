"""Training the Neural GPU's cell with one ingredient more or less, and a plain recurrent network beside it.

The recipe is that of `learned_units/neural_gpu/training.py`; what it has not, the paper and its follow-ups have:
dropout on the state, noise on the gradient, parameters that are shared between steps only by and by, a curriculum.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from learned_units.experiments import sequences
from learned_units.experiments.sequences import SequenceTask
from learned_units.neural_gpu import network, training
from learned_units.neural_gpu.tape import PAD

Array = Any  # of numpy when it is drawn, of jax when it is read
Weights = Any  # of the cell, or of the plain network: a pytree of float32 arrays
POSITIONS = 22  # of a tape in training: 20 bits and two ends, or a string of 10 or 11 twice
CURRICULUM = (4, 7, 10, 15, training.LONGEST)  # bits at most, by fifths of CURRICULUM_UNTIL
CURRICULUM_UNTIL = 0.5
COPIES = 3  # of the parameters, where their sharing is relaxed
SHARED_FROM = 0.6  # part of the training after which all steps have the same parameters


class Ingredients(NamedTuple):
    """What training adds to the cross-entropy. The first two are those of the unit's recipe."""

    noise: float = training.NOISE  # half width, on the state before each step
    penalty: float = training.PENALTY  # on inputs of the nonlinearities beyond their range
    dropout: float = 0.0  # share of the state that is 0 before each step
    gradient_noise: float = 0.0  # standard deviation at the start; after t updates over (1 + t)^0.55
    curriculum: bool = False  # short strings first, through the first half of the training


class Kind(NamedTuple):
    """A kind of network: how it starts, its loss in training, and its logits."""

    start: Callable[[jax.Array, int], Weights]
    loss: Callable[..., jax.Array]  # (weights, an Examples, part done, ingredients)
    logits: Callable[[Weights, jax.Array], jax.Array]  # (weights, symbols) -> [..., positions]


def fit(
    kind: Kind,
    task: SequenceTask,
    given: Ingredients,
    seed: int,
    updates: int,
    progress: Callable[[float, float], None],
) -> Weights:
    """Train a net on tapes of up to POSITIONS positions. progress(part done, mean loss) is called now and then."""
    rng = np.random.default_rng(seed)
    weights = kind.start(jax.random.key(seed), sequences.SYMBOLS)
    size = sum(each.size for each in jax.tree.leaves(weights))
    traced = jax.tree.map(np.float32, given)
    optimiser = _optimiser(updates)
    moments = optimiser.init(weights)
    losses = []
    for update in range(updates):
        part = update / updates
        examples = draw(task, given, rng, part, update, size)
        weights, moments, loss = _update(
            weights, moments, examples, np.float32(part), traced, kind=kind, optimiser=optimiser
        )
        losses.append(loss)
        if len(losses) == training.UPDATES_PER_REPORT:
            progress(part, float(np.mean(losses)))
            losses.clear()
    return weights


class Examples(NamedTuple):
    """What a net is given in one update. Drawn by numpy: XLA takes a minute to compile its own generator."""

    symbols: Array  # uint8 [batch, positions]
    answers: Array
    levels: Array  # uint8 [steps, 2, batch, positions, maps], uniform: of the noise and of the dropout
    added: Array  # float32 [parameters], to the gradient


def draw(
    task: SequenceTask, given: Ingredients, rng: np.random.Generator, part: float, update: int, size: int
) -> Examples:
    """The examples of an update, for a net of `size` parameters, when that part of the training is done."""
    longest = max(length for length in range(1, training.LONGEST + 1) if task.positions(length) <= POSITIONS)
    if given.curriculum:
        longest = min(longest, CURRICULUM[min(len(CURRICULUM) - 1, int(len(CURRICULUM) * part / CURRICULUM_UNTIL))])
    lengths = rng.integers(1, longest + 1, training.BATCH)
    symbols, answers = sequences.batch(task, rng, lengths.tolist(), POSITIONS)
    levels = rng.integers(0, 256, (POSITIONS, 2, training.BATCH, POSITIONS, training.MAPS), np.uint8)
    added = np.zeros(size, np.float32)
    if given.gradient_noise:
        added = rng.normal(0, given.gradient_noise / (1 + update) ** 0.55, size).astype(np.float32)
    return Examples(symbols, answers, levels, added)


def wrong(kind: Kind, weights: Weights, task: SequenceTask, length: int, cases: int, seed: int) -> int:
    """How many of so many strings of a length are answered with a wrong bit anywhere."""
    rng = np.random.default_rng((seed, length))
    count, at_once = 0, max(1, min(cases, 16_384 // length))
    for begin in range(0, cases, at_once):
        symbols, answers = task.examples(rng, length, min(at_once, cases - begin), False)
        padded = np.pad(symbols, ((0, at_once - len(symbols)), (0, 0)))
        said = np.asarray(_logits(weights, padded.astype(np.int32), kind=kind))[: len(symbols)] > 0
        count += int((said != answers).any(1).sum())
    return count


@functools.partial(jax.jit, static_argnames=("kind",))
def _logits(weights: Weights, symbols: jax.Array, *, kind: Kind) -> jax.Array:
    return kind.logits(weights, symbols)


@functools.cache
def _optimiser(updates: int) -> optax.GradientTransformation:
    half = updates // 2
    falling = optax.linear_schedule(training.LEARNING_RATE, training.LAST_PART * training.LEARNING_RATE, updates - half)
    rate = optax.join_schedules([optax.constant_schedule(training.LEARNING_RATE), falling], [half])
    return optax.chain(optax.clip_by_global_norm(training.LARGEST_GRADIENT), optax.adamax(rate, *training.DECAY))


@functools.partial(jax.jit, static_argnames=("kind", "optimiser"), donate_argnums=(0, 1))
def _update(weights, moments, examples: Examples, part, given: Ingredients, *, kind: Kind, optimiser):
    loss, gradient = jax.value_and_grad(kind.loss)(weights, examples, part, given)
    flat, unflatten = ravel_pytree(gradient)
    gradient = unflatten(flat + examples.added)
    with jax.numpy_dtype_promotion("standard"):  # optax's bias correction mixes integers and floats
        change, moments = optimiser.update(gradient, moments, weights)
    return jax.tree.map(jnp.add, weights, change), moments, loss


def _cross_entropy(logits: jax.Array, symbols: jax.Array, answers: jax.Array) -> jax.Array:
    valid = (symbols != PAD).astype(jnp.float32)
    entropy = optax.sigmoid_binary_cross_entropy(logits, answers.astype(jnp.float32))
    return (entropy * valid).sum() / valid.sum()


def _cell_loss(weights, examples: Examples, part, given: Ingredients) -> jax.Array:
    """As that of the unit's training: each tape is read after as many steps as it has positions."""
    del part
    return _run_and_compare(lambda number: weights, weights, examples, given)


def _relaxed_loss(copies, examples: Examples, part, given: Ingredients) -> jax.Array:
    """The steps take copies of the parameters in turn, which are pulled together linearly until SHARED_FROM."""
    apart = 1 - jnp.minimum(part / SHARED_FROM, 1)
    mean = jax.tree.map(lambda each: each.mean(0), copies)
    own = jax.tree.map(lambda each, mean: mean[None] + apart * (each - mean[None]), copies, mean)
    return _run_and_compare(lambda number: jax.tree.map(lambda each: each[number % COPIES], own), mean, examples, given)


def _run_and_compare(at_step, shared, examples: Examples, given: Ingredients) -> jax.Array:
    """at_step(number): the weights of a step; `shared` embed and read out."""
    symbols, answers, levels, _ = examples
    positions = symbols.shape[1]
    on_tape = symbols != PAD
    steps, inside = on_tape.sum(1), on_tape.astype(jnp.float32)[..., None]

    def advance(carry, each):
        state, penalty = carry
        number, levels = each
        noise, dropped = levels.astype(jnp.float32) / np.float32(127.5)
        disturbed = (state + given.noise * (noise - 1)) * (dropped >= 2 * given.dropout).astype(jnp.float32)
        moved, activity = network.step(at_step(number), disturbed * inside)
        beyond = sum((jax.nn.relu(jnp.abs(x) - training.LINEAR_RANGE) * inside).mean() for x in activity)
        runs = (number < steps)[:, None, None]
        return (jnp.where(runs, moved * inside, state), penalty + beyond), None

    first = (network.start(shared, symbols.astype(jnp.int32)) * inside, jnp.float32(0))
    numbered = (jnp.arange(positions, dtype=steps.dtype), levels)
    (state, penalty), _ = jax.lax.scan(advance, first, numbered)
    return _cross_entropy(network.logits(shared, state), symbols, answers) + given.penalty * penalty / positions


def _cell_start(key: jax.Array, symbols: int) -> network.Network:
    return network.initialise(key, symbols, training.MAPS)


def _relaxed_start(key: jax.Array, symbols: int) -> network.Network:
    return jax.tree.map(lambda each: jnp.stack([each] * COPIES), _cell_start(key, symbols))


def _relaxed_logits(copies, symbols: jax.Array) -> jax.Array:
    return network.run(jax.tree.map(lambda each: each.mean(0), copies), symbols)


CELL = Kind(_cell_start, _cell_loss, network.run)
RELAXED = Kind(_relaxed_start, _relaxed_loss, _relaxed_logits)


class Plain(NamedTuple):
    """A plain recurrent network that reads the tape once, position by position. All float32."""

    embedding: jax.Array  # [symbols, units]
    kernel: jax.Array  # [units, units]
    bias: jax.Array  # [units]
    readout: jax.Array  # [units]
    readout_bias: jax.Array  # [1]


def plain_units(symbols: int) -> int:
    """The most units with which it has no more parameters than the cell."""
    shapes = network.shapes(symbols, training.MAPS).values()
    most = sum(int(np.prod(shape)) for shape in shapes)
    return max(units for units in range(1, most) if units * (units + symbols + 2) + 1 <= most)


def _plain_start(key: jax.Array, symbols: int) -> Plain:
    units = plain_units(symbols)
    keys = jax.random.split(key, 3)
    return Plain(
        jax.random.uniform(keys[0], (symbols, units), jnp.float32, -1, 1),
        jax.random.normal(keys[1], (units, units), jnp.float32) * np.float32(units**-0.5),
        jnp.zeros(units, jnp.float32),
        jax.random.normal(keys[2], (units,), jnp.float32) * np.float32(units**-0.5),
        jnp.zeros(1, jnp.float32),
    )


def _plain_logits(weights: Plain, symbols: jax.Array) -> jax.Array:
    read = weights.embedding[symbols]

    def advance(state, entering):
        after = jnp.tanh(jnp.dot(state, weights.kernel, precision=network.PRECISION) + entering)
        return after, jnp.dot(after, weights.readout, precision=network.PRECISION)

    entering = jnp.moveaxis(read + weights.bias.reshape((1,) * (read.ndim - 1) + weights.bias.shape), -2, 0)
    _, said = jax.lax.scan(advance, jnp.zeros_like(entering[0]), entering)
    return jnp.moveaxis(said, 0, -1) + weights.readout_bias[0]


def _plain_loss(weights, examples: Examples, part, given: Ingredients) -> jax.Array:
    del part, given
    logits = _plain_logits(weights, examples.symbols.astype(jnp.int32))
    return _cross_entropy(logits, examples.symbols, examples.answers)


PLAIN = Kind(_plain_start, _plain_loss, _plain_logits)
