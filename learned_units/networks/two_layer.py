"""The finite two-layer ReLU network: initialisations and forward pass.

    f(x) = sum_h sign_h / sqrt(halves) * width_h^(-1/2) * sum_k v_hk relu(w_hk . x)      (NTK parametrisation)

A plain network has one half. An antisymmetric one has two that start equal and enter with opposite signs, so it
starts at exactly 0 and its variance over starts is 0 at infinite width (Zhang et al. 2020). The two halves of a
mirrored one start as reflections of each other, which starts at 0 too and holds no direction twice.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# When a network is trained (`networks/training.py`).
TOLERANCE = 2e-4  # largest error on any training example and output, in units of the labels
MOST_ITERATIONS = 400  # networks wide enough to be accepted need 20 to 150
ITERATIONS_PER_CALL = 20  # between two reports of progress

INITIALISATIONS = ("plain", "antisymmetric", "variance-reduced", "mirrored")


class Network(NamedTuple):
    """Parameters of one network, float32. An ensemble has a leading axis of networks."""

    hidden: jax.Array  # [halves, units, templates]
    output: jax.Array  # [halves, units, output bits]


def initialise(key: jax.Array, initialisation: str, width: int, templates: int, output_bits: int) -> Network:
    """A network at its start; `width` counts the units of both halves (at least `least_width`, even unless plain).

    plain: independent standard Gaussians. antisymmetric: those, in two equal halves. variance-reduced: antisymmetric,
    with hidden weights in antithetic pairs (w, -w) from orthogonal blocks and output weights +-1; every row keeps the
    expected squared norm of a Gaussian one, so the kernel at infinite width is the same. mirrored: halves (w, v) and
    (-w, v), whose difference is the sum of v w.x (relu(z) - relu(-z) = z). It is 0, up to rounding, because over the
    units the columns of w are orthogonal to those of v, which are +-1, and to each other: a random frame, scaled so
    that its entries tend to independent standard Gaussians with the width, and the kernel to the same limit.
    Raises ValueError for an unknown initialisation or too small a width.
    """
    if width < least_width(initialisation, templates, output_bits):
        raise ValueError(
            f"a {initialisation} network of {templates} templates and {output_bits} outputs has a width of at least "
            f"{least_width(initialisation, templates, output_bits)}, not {width}"
        )
    hidden_key, output_key = jax.random.split(key)
    if initialisation == "plain":
        return Network(
            jax.random.normal(hidden_key, (1, width, templates)), jax.random.normal(output_key, (1, width, output_bits))
        )
    units = width // 2
    if initialisation == "antisymmetric":
        hidden = jax.random.normal(hidden_key, (units, templates))
        output = jax.random.normal(output_key, (units, output_bits))
    elif initialisation == "variance-reduced":
        pairs = -(-units // 2)
        blocks = -(-pairs // templates)
        gaussian = jax.random.normal(hidden_key, (blocks, templates, templates))
        orthogonal = jnp.linalg.qr(gaussian)[0].reshape(-1, templates)[:pairs] * np.sqrt(templates, dtype=np.float32)
        hidden = jnp.concatenate([orthogonal, -orthogonal])[:units]
        output = jax.random.rademacher(output_key, (units, output_bits), dtype=jnp.float32)
    else:
        output = jax.random.rademacher(output_key, (units, output_bits), dtype=jnp.float32)
        gaussian = jax.random.normal(hidden_key, (units, templates))
        frame, mixing = jnp.linalg.qr(jnp.concatenate([output, gaussian], axis=1))
        # The signs that LAPACK leaves open: with these, the frame of Gaussian columns is uniformly distributed.
        frame = frame * jnp.sign(jnp.diagonal(mixing))[None] * np.sqrt(units, dtype=np.float32)
        hidden = frame[:, output_bits:]
        return Network(jnp.stack([hidden, -hidden]), jnp.stack([output, output]))
    return Network(jnp.stack([hidden, hidden]), jnp.stack([output, output]))


def least_width(initialisation: str, templates: int, output_bits: int) -> int:
    """The smallest width of a network. Raises ValueError for an unknown initialisation."""
    if initialisation not in INITIALISATIONS:
        raise ValueError(f"unknown initialisation '{initialisation}'; one of {', '.join(INITIALISATIONS)}")
    if initialisation == "mirrored":
        return 2 * (templates + output_bits)  # as many units in a half as it has orthogonal columns
    return 1 if initialisation == "plain" else 2


def half_weights(halves: int) -> np.ndarray:
    """The factor of each half in the output: [1], or [1, -1] over sqrt(2)."""
    return np.array([1.0] if halves == 1 else [0.5**0.5, -(0.5**0.5)], np.float32)


def predict_templates(network: Network) -> jax.Array:
    """The network on every training input (each template alone): float32 [templates, output bits]."""
    halves, units, _ = network.hidden.shape
    scale = half_weights(halves) / np.sqrt(units, dtype=np.float32)
    return jnp.einsum("hut,huo,h->to", jax.nn.relu(network.hidden), network.output, scale)


def predict_examples(network: Network, inputs: jax.Array) -> jax.Array:
    """The network on inputs float32 [examples, templates]: float32 [examples, output bits]."""
    halves, units, _ = network.hidden.shape
    scale = half_weights(halves) / np.sqrt(units, dtype=np.float32)
    sums = jnp.einsum("et,hut->heu", inputs, network.hidden, precision=jax.lax.Precision.HIGHEST)
    return jnp.einsum("heu,huo,h->eo", jax.nn.relu(sums), network.output, scale, precision=jax.lax.Precision.HIGHEST)


def merge(ensemble: Network) -> tuple[np.ndarray, np.ndarray]:
    """The ensemble's mean as one network: inner [templates, all units] and outer [all units, output bits].

    All factors are folded into `outer`, so that the mean prediction is relu(x @ inner) @ outer.
    """
    hidden, output = (np.asarray(part, np.float64) for part in ensemble)
    networks, halves, units, templates = hidden.shape
    scale = half_weights(halves).astype(np.float64) / np.sqrt(units) / networks
    inner = hidden.reshape(-1, templates).T
    outer = (output * scale[None, :, None, None]).reshape(-1, output.shape[-1])
    return inner.astype(np.float32), outer.astype(np.float32)
