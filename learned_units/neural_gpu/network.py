"""The Neural GPU with diagonal gates and hard nonlinearities, on a one-dimensional tape.

State s, float32 [positions, m]; K * s is a convolution over three positions, zeros outside the tape:

    s_0 = hard_tanh(embedding[symbol])
    r, g = hard_sigmoid(K_rg * s + b_rg)           a reset and an update gate for each map
    c = hard_tanh(K_c * (r s) + b_c)               the candidate
    s' = g shifted(s) + (1 - g) c

`shifted` is the diagonal gate: a third of the maps stay, a third come from i - 1, a third from i + 1. Kaiser and
Sutskever, "Neural GPUs Learn Algorithms" (arXiv 1511.08228); diagonal gates and hard nonlinearities from Freivalds and
Liepins, "Improving the Neural GPU Architecture for Algorithm Learning" (arXiv 1702.08727). One logit a position is
read after as many steps as the tape has positions; p1 - p0 = tanh(logit / 2), and the bit is 1 where that is above 0.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# What was accepted of weights holds for the code that evaluated them. A change to how a network is evaluated, read out
# or measured raises this number, and a golden prediction in the tests says when.
VERSION = 1
NEIGHBOURS = 3  # positions i - 1, i, i + 1
RESET_BIAS = 0.5  # of b_rg at the start: gates begin rather open
UPDATE_BIAS = 0.7
PRECISION = jax.lax.Precision.HIGHEST


class Network(NamedTuple):
    """All weights of one network, float32. The last axis of a kernel goes through the outputs that a position adds to
    its right neighbour, to itself, and to its left neighbour, in this order."""

    embedding: jax.Array  # [symbols, m]
    gate_kernel: jax.Array  # [m, 3 * 2 m]
    gate_bias: jax.Array  # [2 m]
    candidate_kernel: jax.Array  # [m, 3 * m]
    candidate_bias: jax.Array  # [m]
    readout_kernel: jax.Array  # [m]
    readout_bias: jax.Array  # [1]


class Activity(NamedTuple):
    """What the nonlinearities of one step were given: for the penalty of training."""

    gates: jax.Array  # [..., positions, 2 m]
    candidate: jax.Array  # [..., positions, m]


def shapes(symbols: int, maps: int) -> dict[str, tuple[int, ...]]:
    """The shape of each weight array, by name."""
    kernel = NEIGHBOURS * maps
    each = ((symbols, maps), (maps, 2 * kernel), (2 * maps,), (maps, kernel), (maps,), (maps,), (1,))
    return dict(zip(Network._fields, each, strict=True))


def initialise(key: jax.Array, symbols: int, maps: int) -> Network:
    """Weights before training: Glorot uniform kernels, a uniform embedding, gates half open. `key` is consumed."""
    keys = jax.random.split(key, 4)

    def glorot(key: jax.Array, outputs: int) -> jax.Array:
        bound = (6 / (NEIGHBOURS * maps + outputs)) ** 0.5
        return jax.random.uniform(key, (maps, NEIGHBOURS * outputs), jnp.float32, -bound, bound)

    readout_bound = (6 / (maps + 1)) ** 0.5
    return Network(
        jax.random.uniform(keys[0], (symbols, maps), jnp.float32, -1, 1),
        glorot(keys[1], 2 * maps),
        jnp.asarray(np.repeat(np.array([RESET_BIAS, UPDATE_BIAS], np.float32), maps)),
        glorot(keys[2], maps),
        jnp.zeros(maps, jnp.float32),
        jax.random.uniform(keys[3], (maps,), jnp.float32, -readout_bound, readout_bound),
        jnp.zeros(1, jnp.float32),
    )


def start(network: Network, symbols: jax.Array) -> jax.Array:
    """The first state of a tape: int32 [..., positions] -> float32 [..., positions, m]."""
    return _hard_tanh(network.embedding)[symbols]


def step(network: Network, state: jax.Array) -> tuple[jax.Array, Activity]:
    """One application of the cell to a state [..., positions, m]."""
    maps = state.shape[-1]
    gates = _convolve(state, network.gate_kernel) + _along(network.gate_bias, state)
    opened = jnp.clip(gates * 0.5 + 0.5, 0, 1)
    reset, update = opened[..., :maps], opened[..., maps:]
    candidate = _convolve(reset * state, network.candidate_kernel) + _along(network.candidate_bias, state)
    squashed = _hard_tanh(candidate)
    return squashed + update * (_shifted(state) - squashed), Activity(gates, candidate)


def logits(network: Network, state: jax.Array) -> jax.Array:
    """float32 [..., positions, m] -> [..., positions]; p1 - p0 is tanh(logit / 2)."""
    return jnp.dot(state, network.readout_kernel, precision=PRECISION) + network.readout_bias[0]


def run(network: Network, symbols: jax.Array) -> jax.Array:
    """p1 - p0 at every position, after as many steps as the tape has positions.

    int32 [..., positions] -> float32 of that shape.
    """
    state = jax.lax.fori_loop(0, symbols.shape[-1], lambda _, state: step(network, state)[0], start(network, symbols))
    return jnp.tanh(logits(network, state) * np.float32(0.5))


def _hard_tanh(x: jax.Array) -> jax.Array:
    return jnp.clip(x, -1, 1)


def _along(bias: jax.Array, state: jax.Array) -> jax.Array:
    return bias.reshape((1,) * (state.ndim - 1) + bias.shape)


def _moved(x: jax.Array, by: int) -> jax.Array:
    """x[i - by] at position i, 0 from outside."""
    padding = [(0, 0, 0)] * x.ndim
    padding[-2] = (by, -by, 0)
    return jax.lax.pad(x, jnp.zeros((), x.dtype), padding)


def _convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """[..., positions, m] -> [..., positions, outputs]: one product, whose thirds are moved into place and added."""
    product = jnp.dot(x, kernel, precision=PRECISION)
    outputs = kernel.shape[-1] // NEIGHBOURS
    from_left, own, from_right = (product[..., k * outputs : (k + 1) * outputs] for k in range(NEIGHBOURS))
    return _moved(from_left, 1) + own + _moved(from_right, -1)


def _shifted(state: jax.Array) -> jax.Array:
    maps = state.shape[-1]
    third = maps // 3
    stay = maps - 2 * third
    from_left, from_right = state[..., stay : stay + third], state[..., stay + third :]
    return jnp.concatenate([state[..., :stay], _moved(from_left, 1), _moved(from_right, -1)], -1)
