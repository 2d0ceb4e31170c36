"""The finite two-layer ReLU network: initialisations and forward pass.

    f(x) = sum_h sign_h / sqrt(halves) * width_h^(-1/2) * sum_k v_hk relu(w_hk . x)      (NTK parametrisation)

A plain network has one half. An antisymmetric one has two that start equal and enter with opposite signs, so it
starts at exactly 0 and its variance over starts is 0 at infinite width (Zhang et al. 2020).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

INITIALISATIONS = ("plain", "antisymmetric", "variance-reduced")


class Network(NamedTuple):
    """Parameters of one network, float32. An ensemble has a leading axis of networks."""

    hidden: jax.Array  # [halves, units, templates]
    output: jax.Array  # [halves, units, output bits]


def initialise(key: jax.Array, initialisation: str, width: int, templates: int, output_bits: int) -> Network:
    """A network at its start; `width` counts the units of both halves (at least 2, even unless plain).

    plain: independent standard Gaussians. antisymmetric: those, in two equal halves. variance-reduced: antisymmetric,
    with hidden weights in antithetic pairs (w, -w) from orthogonal blocks and output weights +-1; every row keeps the
    expected squared norm of a Gaussian one, so the kernel at infinite width is the same.
    """
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
        raise ValueError(f"unknown initialisation '{initialisation}'; one of {', '.join(INITIALISATIONS)}")
    return Network(jnp.stack([hidden, hidden]), jnp.stack([output, output]))


def half_weights(halves: int) -> np.ndarray:
    """The factor of each half in the output: [1], or [1, -1] over sqrt(2)."""
    return np.array([1.0] if halves == 1 else [0.5**0.5, -(0.5**0.5)], np.float32)


def predict_templates(network: Network) -> jax.Array:
    """The network on every training input (each template alone): float32 [templates, output bits]."""
    halves, units, _ = network.hidden.shape
    scale = half_weights(halves) / np.sqrt(units, dtype=np.float32)
    return jnp.einsum("hut,huo,h->to", jax.nn.relu(network.hidden), network.output, scale)


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
