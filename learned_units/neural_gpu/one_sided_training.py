"""Training of a one-sided network: every position is to be right from the step on at which it can be.

A position i knows all below it after i + 1 steps. From SETTLING steps later on its answer is asked for after every
step, so a network learns to wait, to settle and to stay: states with nothing more to learn do not change. At first
states are real numbers; then they are moved to their signs, a little further with every update, until they are -1 and
1. Gradients go through the rounding as if it were not there (the straight-through estimator: Bengio, Léonard and
Courville, arXiv 1308.3432). Noise, batches and the optimiser are those of `training.py`.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from learned_units.neural_gpu import one_sided, tape, training
from learned_units.neural_gpu.one_sided import OneSided
from learned_units.neural_gpu.tape import Task
from learned_units.neural_gpu.training import Batch, Report

MAPS = 8
UPDATES = 3000
REAL = 0.2  # of the updates: states are real numbers
ROUNDED = 0.5  # of the updates: from there on states are -1 and 1
LEARNING_RATE = 0.02  # until SLOWING of the updates; then linearly down to its LAST_PART
SLOWING = 0.75
STAYING = 3  # steps asked for after the last position has to be right
END_WEIGHT = 3.0  # of an end's answer in the loss: a tape has two ends and up to 20 digits

RECIPE = (
    (MAPS, UPDATES, REAL, ROUNDED, LEARNING_RATE, SLOWING, STAYING, END_WEIGHT, one_sided.SETTLING),
    training.RECIPE,
)


class Learner(NamedTuple):
    """What training carries along."""

    network: OneSided
    moments: optax.OptState
    key: jax.Array


def train(task: Task, seed: int, progress: Report) -> OneSided:
    """A network trained on the task's tapes with operands of 1 to 20 bits.

    progress(part done 0..1, loss) is called now and then; what it raises stops the training.
    """
    rng = np.random.default_rng(seed)
    key, start = jax.random.split(jax.random.key(seed))
    fresh = one_sided.initialise(start, task.symbols, MAPS)
    optimiser = training.make_optimiser(UPDATES, LEARNING_RATE, SLOWING)
    learner = Learner(fresh, optimiser.init(fresh), key)
    losses = []
    for update in range(UPDATES):
        rounded = np.float32(np.clip((update / UPDATES - REAL) / (ROUNDED - REAL), 0, 1))
        learner, loss = _update(learner, training.batch(rng, task), rounded, optimiser)
        losses.append(loss)
        if len(losses) == training.UPDATES_PER_REPORT:
            progress((update + 1) / UPDATES, float(np.mean(losses)))
            losses.clear()
    return learner.network


@functools.partial(jax.jit, static_argnames=("optimiser",), donate_argnums=(0,))
def _update(
    learner: Learner, batch: Batch, rounded: jax.Array, optimiser: optax.GradientTransformation
) -> tuple[Learner, jax.Array]:
    key, noise_key = jax.random.split(learner.key)
    loss, gradient = jax.value_and_grad(_loss)(learner.network, batch, noise_key, rounded)
    with jax.numpy_dtype_promotion("standard"):  # optax's bias correction mixes integers and floats
        change, moments = optimiser.update(gradient, learner.moments, learner.network)
    return Learner(jax.tree.map(jnp.add, learner.network, change), moments, key), loss


def _loss(weights: OneSided, batch: Batch, key: jax.Array, rounded: jax.Array) -> jax.Array:
    """Cross-entropy over the positions that have to be right, after every step, and the penalty."""
    symbols, answers = batch.symbols.astype(jnp.int32), batch.answers.astype(jnp.float32)
    positions = symbols.shape[1]
    weight = jnp.where(symbols >= tape.FIRST_END, END_WEIGHT, 1.0).astype(jnp.float32) * (symbols != tape.PAD)

    def advance(state: jax.Array, each: tuple[jax.Array, jax.Array]):
        number, key = each
        noise = jax.random.uniform(key, state.shape, jnp.float32, -1, 1)
        noisy = state + batch.noise * noise
        moved, activity = one_sided.before_sign(weights, one_sided.from_left(noisy), noisy)
        state = _through(moved, rounded)
        entropy = optax.sigmoid_binary_cross_entropy(one_sided.logits(weights, state), answers)
        asked = weight * (jnp.arange(positions) <= number - one_sided.SETTLING)
        given = jnp.concatenate(activity, -1)
        beyond = jax.nn.relu(jnp.abs(given) - training.LINEAR_RANGE).mean()
        return state, ((entropy * asked).sum(), asked.sum(), beyond)

    steps = positions + one_sided.SETTLING + STAYING
    first = _through(jnp.clip(weights.embedding, -1, 1)[symbols], rounded)
    _, (entropy, asked, beyond) = jax.lax.scan(advance, first, (jnp.arange(steps), jax.random.split(key, steps)))
    return entropy.sum() / asked.sum() + training.PENALTY * beyond.mean()


def _through(x: jax.Array, rounded: jax.Array) -> jax.Array:
    """x, moved to its sign by that part of the way, 0..1; the gradient is that of x."""
    return x + rounded * jax.lax.stop_gradient(one_sided.sign(x) - x)
