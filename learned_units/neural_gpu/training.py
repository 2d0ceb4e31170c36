"""Training on operands of 1 to 20 bits: cross-entropy, AdaMax, and noise on the state that makes it digital.

Before every step uniform noise is added to the whole state, in training only. A net that must work under it learns
states far from their thresholds, and such states are carried over any distance without an error: this noise, not the
examples, is what decides whether a net that is right at 20 bits is right at 2,000. Beside the cross-entropy stands a
small penalty on inputs of the nonlinearities beyond their range, where their gradient would vanish.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from learned_units.neural_gpu import network, operands, tape
from learned_units.neural_gpu.network import Network
from learned_units.neural_gpu.tape import Task

MAPS = 16
LONGEST = 20  # bits of the operands trained on, at most
# A batch has operands of similar lengths: of 1-5, 6-10, 11-15 or 16-20 bits. Shorter tapes cost less.
LENGTHS = (5, 10, 15, LONGEST)
BATCH = 32
UPDATES = 1800
LEARNING_RATE = 0.02  # until SLOWING of the updates; then linearly down to its LAST_PART
SLOWING = 0.5
LAST_PART = 0.02
DECAY = (0.9, 0.99)  # of AdaMax's moments
LARGEST_GRADIENT = 1.0  # global norm
NOISE = 0.3  # half width of the uniform noise
PENALTY = 1e-4
LINEAR_RANGE = 0.9
UPDATES_PER_REPORT = 20

Report = Callable[[float, float], None]

RECIPE = (MAPS, LENGTHS, BATCH, UPDATES, LEARNING_RATE, LAST_PART, DECAY, LARGEST_GRADIENT, NOISE, PENALTY)


class Batch(NamedTuple):
    """Examples of one update: tapes, and what is to be answered at each of their positions."""

    symbols: jax.Array  # uint8 [batch, positions]; 0 pads
    answers: jax.Array  # uint8 [batch, positions]
    noise: jax.Array  # float32 [], half width of the uniform noise on the state


class Learner(NamedTuple):
    """What training carries along."""

    network: Network
    moments: optax.OptState
    key: jax.Array


def train(task: Task, seed: int, progress: Report) -> Network:
    """A network trained on the task's tapes with operands of 1 to LONGEST bits. progress as in `fit`."""
    rng = np.random.default_rng(seed)
    key, start = jax.random.split(jax.random.key(seed))
    fresh = network.initialise(start, task.symbols, MAPS)
    return fit(fresh, lambda part: batch(rng, task), UPDATES, key, progress)


def fit(fresh: Network, batch_at: Callable[[float], Batch], updates: int, key: jax.Array, progress: Report) -> Network:
    """Train a network, which is consumed, for that many updates. `key` is consumed.

    batch_at(part done 0..1) is the next batch. progress(part done 0..1, loss) is called now and then; what it raises
    stops the training.
    """
    optimiser = make_optimiser(updates)
    learner = Learner(fresh, optimiser.init(fresh), key)
    losses = []
    for update in range(updates):
        learner, loss = _update(learner, batch_at(update / updates), optimiser)
        losses.append(loss)
        if len(losses) == UPDATES_PER_REPORT:
            progress((update + 1) / updates, float(np.mean(losses)))
            losses.clear()
    return learner.network


def batch(rng: np.random.Generator, task: Task) -> Batch:
    """Tapes of operands of similar lengths, up to LONGEST bits."""
    band = rng.integers(len(LENGTHS))
    longest = LENGTHS[band]
    shortest = LENGTHS[band - 1] + 1 if band else 1
    lengths = rng.integers(shortest, longest + 1, BATCH)
    first, second = operands.mixed(rng, BATCH, longest, task, operands.TRAINING_MIX)
    inside = np.arange(longest) < lengths[:, None]
    first, second = first * inside, second * inside
    symbols = tape.lay_out(task, first, second, lengths)
    answers = tape.answers(task, first, second, lengths)
    return Batch(*jax.device_put((symbols, answers, np.float32(NOISE))))


@functools.cache
def make_optimiser(
    updates: int, learning_rate: float = LEARNING_RATE, slowing: float = SLOWING
) -> optax.GradientTransformation:
    """AdaMax for that many updates, the gradient clipped; the rate falls from that part of the updates on."""
    whole = int(slowing * updates)
    rate = optax.join_schedules(
        [
            optax.constant_schedule(learning_rate),
            optax.linear_schedule(learning_rate, LAST_PART * learning_rate, updates - whole),
        ],
        [whole],
    )
    return optax.chain(optax.clip_by_global_norm(LARGEST_GRADIENT), optax.adamax(rate, *DECAY))


@functools.partial(jax.jit, static_argnames=("optimiser",), donate_argnums=(0,))
def _update(learner: Learner, batch: Batch, optimiser: optax.GradientTransformation) -> tuple[Learner, jax.Array]:
    key, noise_key = jax.random.split(learner.key)
    loss, gradient = jax.value_and_grad(_loss)(learner.network, batch, noise_key)
    with jax.numpy_dtype_promotion("standard"):  # optax's bias correction mixes integers and floats
        change, moments = optimiser.update(gradient, learner.moments, learner.network)
    weights = jax.tree.map(jnp.add, learner.network, change)
    return Learner(weights, moments, key), loss


def _loss(weights: Network, batch: Batch, key: jax.Array) -> jax.Array:
    """Cross-entropy over the positions of the tapes, and the penalty. Each tape is read after as many steps as it has
    positions."""
    longest = batch.symbols.shape[1]
    on_tape = batch.symbols != tape.PAD
    steps = on_tape.sum(1)
    valid = on_tape.astype(jnp.float32)
    inside = valid[..., None]

    def advance(carry: tuple[jax.Array, jax.Array], each: tuple[jax.Array, jax.Array]):
        state, penalty = carry
        number, key = each
        noise = jax.random.bits(key, state.shape, jnp.uint8).astype(jnp.float32) / np.float32(127.5) - np.float32(1)
        moved, activity = network.step(weights, (state + batch.noise * noise) * inside)
        runs = (number < steps)[:, None, None]
        beyond = sum((jax.nn.relu(jnp.abs(each) - LINEAR_RANGE) * inside).mean() for each in activity)
        return (jnp.where(runs, moved * inside, state), penalty + beyond), None

    numbered = (jnp.arange(longest, dtype=steps.dtype), jax.random.split(key, longest))
    first = (network.start(weights, batch.symbols.astype(jnp.int32)) * inside, jnp.float32(0))
    (state, penalty), _ = jax.lax.scan(advance, first, numbered)
    answers = batch.answers.astype(jnp.float32)
    entropy = optax.sigmoid_binary_cross_entropy(network.logits(weights, state), answers)
    return (entropy * valid).sum() / valid.sum() + PENALTY * penalty / longest
