"""Full-batch gradient descent with Polyak momentum on the template training set, for a whole ensemble at once.

Loss: half the sum of squared errors. Each network is trained on its own; they share only the loop. Near
initialisation the dynamics are linear with the training kernel's spectrum, for which the heavy ball
(Polyak 1964) is best at  lr = 4 / (sqrt(largest) + sqrt(smallest))^2,  momentum = ((sqrt(q) - 1) / (sqrt(q) + 1))^2,
q = largest / smallest eigenvalue.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from learned_units.ntk import kernel
from learned_units.ntk.network import Network, initialise, predict_templates

TOLERANCE = 2e-4  # largest error on any training example and output, in units of the labels
MOST_ITERATIONS = 400  # networks wide enough to be accepted need 20 to 150
ITERATIONS_PER_CALL = 20  # between two reports of progress


class Trained(NamedTuple):
    """A trained ensemble, with how it got there."""

    ensemble: Network  # leading axis: networks
    iterations: int
    error: float  # largest error left on any training example, output and network


class TrainingError(RuntimeError):
    """Gradient descent did not reach the tolerance."""


def train(
    labels: np.ndarray,
    *,
    networks: int,
    width: int,
    initialisation: str,
    seed: int,
    progress: Callable[[int, float], None] | None = None,
) -> Trained:
    """Train `networks` networks of `width` units on labels float32 [templates, output bits] to TOLERANCE.

    `progress(iteration, error)` is called between blocks of iterations; what it raises stops the training. Raises
    TrainingError if the tolerance is not reached.
    """
    templates, output_bits = labels.shape
    keys = jax.random.split(jax.random.key(seed), networks)
    start = jax.vmap(lambda key: initialise(key, initialisation, width, templates, output_bits))(keys)
    smallest, largest = kernel.eigenvalues(templates)
    ratio = (largest / smallest) ** 0.5
    optimiser = optax.sgd(
        learning_rate=4 / (largest**0.5 + smallest**0.5) ** 2, momentum=((ratio - 1) / (ratio + 1)) ** 2
    )
    ensemble, momentum = start, optimiser.init(start)
    targets = jnp.asarray(labels)
    iterations, error = 0, float("inf")
    while iterations < MOST_ITERATIONS:
        ensemble, momentum, largest = _descend(ensemble, momentum, targets, optimiser)
        iterations, error = iterations + ITERATIONS_PER_CALL, float(largest)
        if progress is not None:
            progress(iterations, error)
        if error <= TOLERANCE:
            return Trained(ensemble, iterations, error)
        if not np.isfinite(error):
            break
    raise TrainingError(
        f"an error of {error:.2g} is left after {iterations} iterations of gradient descent on {templates} examples "
        f"with {networks} networks of width {width}; widen the networks"
    )


@functools.partial(jax.jit, static_argnames=("optimiser",), donate_argnums=(0, 1))
def _descend(ensemble: Network, momentum, labels: jax.Array, optimiser: optax.GradientTransformation):
    """ITERATIONS_PER_CALL steps. Returns ensemble, momentum and the largest error before the last step."""

    def loss(ensemble: Network) -> tuple[jax.Array, jax.Array]:
        error = jax.vmap(predict_templates)(ensemble) - labels[None]
        return 0.5 * jnp.sum(error**2), jnp.abs(error).max()

    def step(_, carry):
        ensemble, momentum, _ = carry
        (_, error), gradient = jax.value_and_grad(loss, has_aux=True)(ensemble)
        update, momentum = optimiser.update(gradient, momentum)
        return optax.apply_updates(ensemble, update), momentum, error

    return jax.lax.fori_loop(0, ITERATIONS_PER_CALL, step, (ensemble, momentum, jnp.float32(jnp.inf)))


def progress_made(error: float) -> float:
    """The part of the way from an error of 1 to TOLERANCE, on a logarithmic scale: 0..1."""
    return float(np.clip(np.log(max(error, 1e-30)) / np.log(TOLERANCE), 0, 1))
