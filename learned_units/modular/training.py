"""Training to generalisation: the network learns part of a table, long after that the rest (grokking).

Recipe, the same for every table: first layer 0.25 N(0, 1), second layer N(0, 1) / sqrt(units); cross-entropy of the
outputs over the training rows, full batch; AdamW with learning rate 0.01, momenta 0.9 and 0.98, weight decay 1. It is
the weight decay that, once the training rows are fitted, carries the weights on to the periodic form that also fits
the rows never seen.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from learned_units.modular.network import every_input, output

LEARNING_RATE = 0.01
MOMENTA = (0.9, 0.98)
WEIGHT_DECAY = 1.0
INNER_SCALE = 0.25
EPOCHS_PER_CALL = 10  # between two measurements
MOST_EPOCHS = 3000

Weights = tuple[jax.Array, jax.Array]  # inner [2, C, N], outer [N, C]
Progress = Callable[[int, float], None]  # (epoch, held-out accuracy)


class Curve(NamedTuple):
    """What was measured while training, every EPOCHS_PER_CALL epochs, the start first."""

    epoch: np.ndarray
    train_loss: np.ndarray
    held_out_loss: np.ndarray
    train_accuracy: np.ndarray
    held_out_accuracy: np.ndarray


class Trained(NamedTuple):
    """The end of a training, whether it generalised or not."""

    inner: np.ndarray  # float32 [2, C, N]
    outer: np.ndarray  # float32 [N, C]
    start: tuple[np.ndarray, np.ndarray]  # the same, untrained
    in_training: np.ndarray  # bool [C * C]: which rows of the table were trained on
    nominal: float  # mean gap between right and best wrong output, over the whole table
    smallest_margin: float  # the smallest gap of all over the mean one; above 0 exactly when all of the table is right
    curve: Curve

    @property
    def epochs(self) -> int:
        return int(self.curve.epoch[-1])

    @property
    def held_out_accuracy(self) -> float:
        return float(self.curve.held_out_accuracy[-1])


def split(rows: int, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Which rows of a table to train on, at random: bool [rows]."""
    chosen = np.zeros(rows, bool)
    chosen[rng.permutation(rows)[: round(fraction * rows)]] = True
    return chosen


def start_weights(classes: int, units: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Untrained weights, float32."""
    inner = rng.normal(0, INNER_SCALE, (2, classes, units))
    outer = rng.normal(0, units**-0.5, (units, classes))
    return inner.astype(np.float32), outer.astype(np.float32)


def train(
    labels: np.ndarray,
    units: int,
    fraction: float,
    seed: int = 0,
    floor: float = 0.0,
    most_epochs: int = MOST_EPOCHS,
    progress: Progress = lambda epoch, accuracy: None,
) -> Trained:
    """Train on a part of a table until all of it is right with a margin above `floor`, or `most_epochs` have passed.

    labels: classes int [C, C], of all pairs of values. fraction: of the pairs, to train on; the others are looked at
    only to measure, and to know when to stop.
    """
    classes = len(labels)
    rng = np.random.default_rng(seed)
    chosen = split(labels.size, fraction, rng)
    start = start_weights(classes, units, rng)
    rows, wanted = every_input(classes, 2), labels.reshape(-1).astype(np.int32)
    weights: Weights = (jnp.asarray(start[0]), jnp.asarray(start[1]))
    momenta = _optimiser().init(weights)
    measured, epoch = [], 0
    while True:
        losses, gap = (np.asarray(each, np.float64) for each in _measure(weights, rows, wanted))
        measured.append(
            (epoch, losses[chosen].mean(), losses[~chosen].mean(), (gap[chosen] > 0).mean(), (gap[~chosen] > 0).mean())
        )
        nominal = float(gap.mean())
        smallest = float(gap.min() / nominal) if nominal > 0 else -np.inf
        progress(epoch, measured[-1][-1])
        if smallest > floor or epoch >= most_epochs:
            break
        weights, momenta = _train(weights, momenta, rows[chosen], wanted[chosen])
        epoch += EPOCHS_PER_CALL
    curve = Curve(*(np.array(column) for column in zip(*measured, strict=True)))
    inner, outer = (np.asarray(each) for each in weights)
    return Trained(inner, outer, start, chosen, nominal, smallest, curve)


def constants() -> tuple[float | int, ...]:
    """All constants that decide the weights a training ends with."""
    return (LEARNING_RATE, *MOMENTA, WEIGHT_DECAY, INNER_SCALE, EPOCHS_PER_CALL, MOST_EPOCHS)


@functools.cache
def _optimiser() -> optax.GradientTransformation:
    return optax.adamw(LEARNING_RATE, b1=MOMENTA[0], b2=MOMENTA[1], weight_decay=WEIGHT_DECAY)


def _losses(weights: Weights, rows: jax.Array, wanted: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Cross-entropy [n] and outputs [n, C] on rows int32 [n, 2]."""
    out = output(*weights, rows)
    return optax.losses.softmax_cross_entropy_with_integer_labels(out, wanted), out


@functools.partial(jax.jit, donate_argnums=(0, 1))
def _train(weights: Weights, momenta: optax.OptState, rows: jax.Array, wanted: jax.Array):
    """EPOCHS_PER_CALL epochs on these rows."""

    def epoch(state, _):
        weights, momenta = state
        slope = jax.grad(lambda weights: _losses(weights, rows, wanted)[0].mean())(weights)
        with jax.numpy_dtype_promotion("standard"):  # optax raises a float to the power of an int32, the epoch
            change, momenta = _optimiser().update(slope, momenta, weights)
        return (optax.apply_updates(weights, change), momenta), None

    return jax.lax.scan(epoch, (weights, momenta), None, length=EPOCHS_PER_CALL)[0]


@jax.jit
def _measure(weights: Weights, rows: jax.Array, wanted: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Cross-entropy [n], and right output minus best wrong one [n], on rows int32 [n, 2]."""
    loss, out = _losses(weights, rows, wanted)
    right = wanted[:, None] == np.arange(out.shape[-1], dtype=np.int32)[None]
    return loss, jnp.where(right, out, 0.0).sum(-1) - jnp.where(right, -jnp.inf, out).max(-1)
