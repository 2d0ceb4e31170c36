"""Training on a sample of the inputs of S terms, for a number of updates that another sample decides.

The rows that are trained on, those that say when to stop and those that are reported are disjoint, so what is reported
is of inputs that neither the weights nor the number of updates depend on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from learned_units.modular import training
from learned_units.modular.network import output

UPDATES_PER_CALL = 10  # between two looks at the validation rows
BLOCK = 4096  # rows evaluated at once


class Recipe(NamedTuple):
    """How weights begin, and what moves them: AdamW, momenta as in `training`."""

    loss: Literal["cross-entropy", "squared"]  # the latter against one-hot vectors
    learning_rate: float
    weight_decay: float
    inner_scale: float  # standard deviation at the start
    outer_scale: float
    batch: int  # rows of an update, drawn at random; all of them, where there are no more


class Rows(NamedTuple):
    """Inputs int32 [n, S] and right classes int32 [n]."""

    inputs: np.ndarray
    wanted: np.ndarray


class Parts(NamedTuple):
    """Disjoint samples of all inputs."""

    trained: Rows
    validated: Rows  # they decide when to stop
    reported: Rows  # nothing depends on them


class Fitted(NamedTuple):
    """Weights as they were when the validation rows were all right for the first time, or after the last update."""

    inner: np.ndarray  # float32 [S, C, N]
    outer: np.ndarray  # float32 [N, C]
    updates: int
    trained: float  # shares of right rows
    validated: float
    reported: float


def grokking(units: int, batch: int) -> Recipe:
    """The recipe of `training`, for any number of terms."""
    scales = (training.INNER_SCALE, float(units) ** -0.5)
    return Recipe("cross-entropy", training.LEARNING_RATE, training.WEIGHT_DECAY, *scales, batch)


def draw(modulus: int, terms: int, sizes: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Different inputs at random, as many as the three sizes together: int32 [n, terms].

    Raises ValueError where there are not so many.
    """
    if sum(sizes) > modulus**terms:
        raise ValueError(f"{sum(sizes):,} of {modulus**terms:,} inputs cannot be different")
    chosen = rng.choice(modulus**terms, sum(sizes), replace=False, shuffle=True)
    return np.stack(np.unravel_index(chosen, (modulus,) * terms), axis=1).astype(np.int32)


def parts(inputs: np.ndarray, wanted: np.ndarray, sizes: tuple[int, int, int]) -> Parts:
    """The first, the next and the last rows, as many as the sizes say."""
    first, second = sizes[0], sizes[0] + sizes[1]
    edges = (slice(0, first), slice(first, second), slice(second, second + sizes[2]))
    return Parts(*(Rows(inputs[edge], wanted[edge].astype(np.int32)) for edge in edges))


def fit(
    parted: Parts,
    classes: int,
    units: int,
    recipe: Recipe,
    most_updates: int,
    seed: int,
    progress: Callable[[int, float], None],
) -> Fitted:
    """Train until every validation row is right, or for `most_updates`. progress(updates, share of right ones)."""
    rng = np.random.default_rng(seed)
    terms = parted.trained.inputs.shape[1]
    inner = rng.normal(0, recipe.inner_scale, (terms, classes, units)).astype(np.float32)
    outer = rng.normal(0, recipe.outer_scale, (units, classes)).astype(np.float32)
    weights = (jnp.asarray(inner), jnp.asarray(outer))
    momenta = _optimiser(recipe).init(weights)
    key = jax.random.key(seed)
    updates, validated = 0, right(weights, parted.validated)
    while validated < 1 and updates < most_updates:
        progress(updates, validated)
        key, now = jax.random.split(key)
        weights, momenta = _train(weights, momenta, now, *parted.trained, recipe=recipe)
        updates, validated = updates + UPDATES_PER_CALL, right(weights, parted.validated)
    shares = right(weights, parted.trained), validated, right(weights, parted.reported)
    return Fitted(np.asarray(weights[0]), np.asarray(weights[1]), updates, *shares)


def right(weights: training.Weights, rows: Rows) -> float:
    """The share of rows whose largest output is the right class."""
    found = [
        np.asarray(_answers(*weights, rows.inputs[start : start + BLOCK]))
        for start in range(0, len(rows.inputs), BLOCK)
    ]
    return float((np.concatenate(found) == rows.wanted).mean())


_answers = jax.jit(lambda inner, outer, inputs: output(inner, outer, inputs).argmax(-1))


@functools.cache
def _optimiser(recipe: Recipe) -> optax.GradientTransformation:
    first, second = training.MOMENTA
    return optax.adamw(recipe.learning_rate, b1=first, b2=second, weight_decay=recipe.weight_decay)


def _loss(weights: training.Weights, inputs: jax.Array, wanted: jax.Array, recipe: Recipe) -> jax.Array:
    out = output(*weights, inputs)
    if recipe.loss == "squared":
        return ((out - jax.nn.one_hot(wanted, out.shape[-1])) ** 2).mean()
    return optax.losses.softmax_cross_entropy_with_integer_labels(out, wanted).mean()


@functools.partial(jax.jit, donate_argnums=(0, 1), static_argnames=("recipe",))
def _train(
    weights: training.Weights,
    momenta: optax.OptState,
    key: jax.Array,
    inputs: jax.Array,
    wanted: jax.Array,
    *,
    recipe: Recipe,
):
    """UPDATES_PER_CALL updates on these rows."""

    def update(state, key):
        weights, momenta = state
        some = inputs, wanted
        if recipe.batch < len(inputs):
            drawn = jax.random.randint(key, (recipe.batch,), 0, len(inputs))
            some = inputs[drawn], wanted[drawn]
        slope = jax.grad(_loss)(weights, *some, recipe)
        with jax.numpy_dtype_promotion("standard"):  # optax raises a float to the power of an int32, the update
            change, momenta = _optimiser(recipe).update(slope, momenta, weights)
        return (optax.apply_updates(weights, change), momenta), None

    return jax.lax.scan(update, (weights, momenta), jax.random.split(key, UPDATES_PER_CALL))[0]
