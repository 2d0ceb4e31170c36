"""A Neural GPU that looks to one side and has two-valued states, so that it can be proved for every length.

The cell of `network.py` but for three things. Nothing comes from the right neighbour: borrows go upwards only. The
reset gate multiplies what the candidate sums up, not each state before, so that a step reaches one position and no
further. And after each step every map is -1 or 1, so that a position has at most 2^m states.

State s, [positions, m]; l is the state of the position to the left, 0 at the lowest one:

    s_0 = sign(embedding[symbol])
    z = A l + B s                                  for the reset gate, the update gate and the candidate
    r, g = hard_sigmoid(z_rg + b_rg)
    c = hard_tanh(r z_c + b_c)
    s' = sign(g shifted(s) + (1 - g) c)            sign(0) is 1

`shifted` is the diagonal gate: half of the maps stay, half come from the left. One logit a position is read after
SETTLING steps more than the tape has positions; p1 - p0 = tanh(logit / 2), and the bit is 1 where that is above 0.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.neural_gpu.network import RESET_BIAS, UPDATE_BIAS

# What was proved of weights holds for the code that evaluates them: a change to how a network is evaluated raises this
# number, and a golden prediction in the tests says when.
VERSION = 1
SETTLING = 2  # steps before the first position has to be right
PRECISION = jax.lax.Precision.HIGHEST


class OneSided(NamedTuple):
    """All weights of one network, float32. Thirds of the last axis: reset gate, update gate, candidate."""

    embedding: jax.Array  # [symbols, m]
    left: jax.Array  # [m, 3 m], for the state of the position to the left
    own: jax.Array  # [m, 3 m]
    bias: jax.Array  # [3 m]
    readout_kernel: jax.Array  # [m]
    readout_bias: jax.Array  # [1]


class Activity(NamedTuple):
    """What the nonlinearities of one step were given: for the penalty of training."""

    gates: jax.Array  # [..., 2 m]
    candidate: jax.Array  # [..., m]


def shapes(symbols: int, maps: int) -> dict[str, tuple[int, ...]]:
    """The shape of each weight array, by name."""
    each = ((symbols, maps), (maps, 3 * maps), (maps, 3 * maps), (3 * maps,), (maps,), (1,))
    return dict(zip(OneSided._fields, each, strict=True))


def initialise(key: jax.Array, symbols: int, maps: int) -> OneSided:
    """Weights before training: Glorot uniform kernels, a uniform embedding, gates half open. `key` is consumed."""
    keys = jax.random.split(key, 4)

    def uniform(key: jax.Array, shape: tuple[int, ...], bound: float) -> jax.Array:
        return jax.random.uniform(key, shape, jnp.float32, -bound, bound)

    kernel_bound = (6 / (3 * maps)) ** 0.5
    return OneSided(
        uniform(keys[0], (symbols, maps), 1),
        uniform(keys[1], (maps, 3 * maps), kernel_bound),
        uniform(keys[2], (maps, 3 * maps), kernel_bound),
        jnp.asarray(np.repeat(np.array([RESET_BIAS, UPDATE_BIAS, 0], np.float32), maps)),
        uniform(keys[3], (maps,), (6 / (maps + 1)) ** 0.5),
        jnp.zeros(1, jnp.float32),
    )


def before_sign(network: OneSided, left: jax.Array, own: jax.Array) -> tuple[jax.Array, Activity]:
    """What the next state is the sign of: states [..., m] of a position and of the one to its left -> [..., m]."""
    maps = own.shape[-1]
    summed = jnp.dot(left, network.left, precision=PRECISION) + jnp.dot(own, network.own, precision=PRECISION)
    along = network.bias.reshape((1,) * (own.ndim - 1) + network.bias.shape)
    gates = summed[..., : 2 * maps] + along[..., : 2 * maps]
    opened = jnp.clip(gates * 0.5 + 0.5, 0, 1)
    reset, update = opened[..., :maps], opened[..., maps:]
    candidate = reset * summed[..., 2 * maps :] + along[..., 2 * maps :]
    squashed = jnp.clip(candidate, -1, 1)
    stay = maps - maps // 2
    shifted = jnp.concatenate([own[..., :stay], left[..., stay:]], -1)
    return squashed + update * (shifted - squashed), Activity(gates, candidate)


def sign(x: jax.Array) -> jax.Array:
    """-1 or 1; of 0 it is 1."""
    return jnp.where(x >= 0, 1, -1).astype(jnp.float32)


def from_left(state: jax.Array) -> jax.Array:
    """Of each position the state of the one to its left; 0 at the lowest: [..., positions, m]."""
    padding = [(0, 0, 0)] * state.ndim
    padding[-2] = (1, -1, 0)
    return jax.lax.pad(state, jnp.zeros((), state.dtype), padding)


def logits(network: OneSided, state: jax.Array) -> jax.Array:
    """float32 [..., positions, m] -> [..., positions]; p1 - p0 is tanh(logit / 2)."""
    return jnp.dot(state, network.readout_kernel, precision=PRECISION) + network.readout_bias[0]


def run(network: OneSided, symbols: jax.Array) -> jax.Array:
    """p1 - p0 at every position, after SETTLING steps more than the tape has positions.

    int32 [..., positions] -> float32 of that shape.
    """

    def step(_: int, state: jax.Array) -> jax.Array:
        return sign(before_sign(network, from_left(state), state)[0])

    state = jax.lax.fori_loop(0, symbols.shape[-1] + SETTLING, step, sign(network.embedding)[symbols])
    return jnp.tanh(logits(network, state) * np.float32(0.5))
