"""Full-batch gradient descent on the template training set, for a whole ensemble at once.

Loss: half the sum of squared errors. Each network is trained on its own; the devices of this process share them.
Near initialisation the dynamics are linear with the training kernel's spectrum, from which the steps are chosen: those
of the heavy ball unless others are asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from learned_units import devices
from learned_units.networks import kernel
from learned_units.networks.two_layer import (
    ITERATIONS_PER_CALL,
    MOST_ITERATIONS,
    TOLERANCE,
    Network,
    initialise,
    predict_examples,
    predict_templates,
)

# Smallest and largest eigenvalue of the training kernel -> how a step is made of a gradient.
Descent = Callable[[float, float], optax.GradientTransformation]
Lesson = tuple[jax.Array | None, jax.Array]  # inputs and labels; without inputs each example is one input bit alone


class Trained(NamedTuple):
    """A trained ensemble, with how it got there."""

    ensemble: Network  # leading axis: networks
    iterations: int
    error: float  # largest error left on any training example, output and network


class TrainingError(RuntimeError):
    """Gradient descent did not reach the tolerance."""


def heavy_ball(smallest: float, largest: float) -> optax.GradientTransformation:
    """Polyak's momentum (1964), at its best on a quadratic: with q = largest / smallest,

    lr = 4 / (sqrt(largest) + sqrt(smallest))^2,  momentum = ((sqrt(q) - 1) / (sqrt(q) + 1))^2.
    """
    ratio = (largest / smallest) ** 0.5
    return optax.sgd(learning_rate=4 / (largest**0.5 + smallest**0.5) ** 2, momentum=((ratio - 1) / (ratio + 1)) ** 2)


def steepest(smallest: float, largest: float) -> optax.GradientTransformation:
    """Gradient descent without momentum: lr = 1 / largest, half of what a quadratic allows. The kernel of a narrow
    network has a larger eigenvalue than that of a wide one."""
    del smallest
    return optax.sgd(learning_rate=1 / largest)


def train(
    labels: np.ndarray,
    *,
    networks: int,
    width: int,
    initialisation: str,
    seed: int,
    inputs: np.ndarray | None = None,
    descent: Descent = heavy_ball,
    progress: Callable[[int, float], None] | None = None,
) -> Trained:
    """Train `networks` networks of `width` units on labels float32 [examples, output bits] to TOLERANCE.

    inputs: the examples, unit vectors float32 [examples, input bits]; without them each is one input bit alone.
    `progress(iteration, error)` is called between blocks of iterations; what it raises stops the training. Raises
    TrainingError if the tolerance is not reached.
    """
    examples, output_bits = labels.shape
    input_bits = examples if inputs is None else inputs.shape[1]
    keys = jax.random.split(jax.random.key(seed), networks)
    start = jax.vmap(lambda key: initialise(key, initialisation, width, input_bits, output_bits))(keys)
    smallest, largest = kernel.eigenvalues(examples) if inputs is None else kernel.gram_eigenvalues(inputs)
    optimiser = descent(smallest, largest)
    used = _devices_for(networks)
    ensemble, momentum = devices.place((start, optimiser.init(start)), devices.ROWS, used)
    lesson = devices.place((inputs, labels), devices.WHOLE, used)
    iterations, error = 0, float("inf")
    while iterations < MOST_ITERATIONS:
        ensemble, momentum, left = _descend(ensemble, momentum, lesson, optimiser, used)
        iterations, error = iterations + ITERATIONS_PER_CALL, float(np.max(left))
        if progress is not None:
            progress(iterations, error)
        if error <= TOLERANCE:
            return Trained(ensemble, iterations, error)
        if not np.isfinite(error):
            break
    raise TrainingError(
        f"an error of {error:.2g} is left after {iterations} iterations of gradient descent on {examples} examples "
        f"with {networks} networks of width {width}; widen the networks"
    )


def _devices_for(networks: int) -> tuple[Any, ...]:
    """As many devices of this process as divide the networks evenly."""
    local = jax.local_devices()
    return tuple(local[: max(count for count in range(1, len(local) + 1) if networks % count == 0)])


@functools.partial(jax.jit, static_argnames=("optimiser", "used"), donate_argnums=(0, 1))
def _descend(
    ensemble: Network, momentum, lesson: Lesson, optimiser: optax.GradientTransformation, used: tuple[Any, ...]
):
    """ITERATIONS_PER_CALL steps of each network. Returns ensemble, momentum and each one's largest error before the
    last step, float32 [networks]."""

    def loss(network: Network, lesson: Lesson) -> tuple[jax.Array, jax.Array]:
        inputs, labels = lesson
        error = (predict_templates(network) if inputs is None else predict_examples(network, inputs)) - labels
        return 0.5 * jnp.sum(error**2), jnp.abs(error).max()

    def descend(ensemble: Network, momentum, lesson: Lesson):
        def step(_, carry):
            network, momentum, _ = carry
            (_, error), gradient = jax.value_and_grad(loss, has_aux=True)(network, lesson)
            update, momentum = optimiser.update(gradient, momentum)
            return optax.apply_updates(network, update), momentum, error

        def one(start):
            return jax.lax.fori_loop(0, ITERATIONS_PER_CALL, step, (*start, jnp.float32(jnp.inf)))

        # One after the other: a product of several networks at once is rounded in another way than that of one, and
        # how many a device has must make no difference.
        return jax.lax.map(one, (ensemble, momentum))

    takes = (devices.ROWS, devices.ROWS, devices.WHOLE)
    return devices.spread(descend, takes, used)(ensemble, momentum, lesson)


def progress_made(error: float) -> float:
    """The part of the way from an error of 1 to TOLERANCE, on a logarithmic scale: 0..1."""
    return float(np.clip(np.log(max(error, 1e-30)) / np.log(TOLERANCE), 0, 1))
