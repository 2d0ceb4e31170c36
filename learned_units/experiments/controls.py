"""What the decisions of the trained units come from: their networks with the activation or the weights replaced.

relu(z) = z / 2 + |z| / 2. With z / 2 a network is a linear map, its odd part; with |z| / 2 it is even. Both are run
with the thresholds of the trained networks, and so are weights that are 0, shuffled, or noise of the same scale.
A linear two-layer network, trained in the same way from a start at 0, has the readout of its own kernel, 2 r:
thresholds m = 1/2 at every n. This is for the default unit; beside it stand modular and neural-gpu
(`controls_other_units.py`), and ntk-bits has a table of its own (`controls_bits.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units import catalog
from learned_units.circuits import subtract_branch
from learned_units.circuits.passes import Prediction
from learned_units.circuits.templates import TemplateSet
from learned_units.experiments import controls_other_units
from learned_units.experiments.table import Cell, Table
from learned_units.networks import kernel, predictor, readout, two_layer
from learned_units.networks.ensemble import PRECISION, EnsembleParams
from learned_units.networks.readout import Readout, look_up
from learned_units.proof import enumeration
from learned_units.store import Progress

QUICK = ("first", "select", "any")
SEED = 0  # of what is shuffled and drawn
LINEAR_WIDTH = 512  # of each of the two networks
LINEAR_STEPS = 100


class Trained(NamedTuple):
    """One network of the default unit."""

    template_set: TemplateSet
    inner: np.ndarray  # float32 [templates, units]
    outer: np.ndarray  # float32 [units, output bits], all factors folded in


class LinearParams(NamedTuple):
    """A linear map of the matched templates over sqrt(n), and a readout. All float32."""

    map: jax.Array  # [families, group, output bits]
    table: jax.Array  # [1 + outputs, n]: half gap, thresholds

    def predict(self, templates: TemplateSet, matched: tuple[jax.Array, ...]) -> Prediction:
        """For each family float32 [groups, group, batch] of 0 and 1."""
        stacked = jnp.stack(matched)
        number = stacked.sum((0, 2))
        value = jnp.einsum("fgpn,fpo->gon", stacked, self.map, precision=PRECISION)
        value = value * jax.lax.rsqrt(jnp.maximum(number, np.float32(1)))[:, None]
        row = look_up(self.table, number.astype(jnp.int32))
        return Prediction(value.reshape(len(number), row.shape[1] - 1, -1, number.shape[1]), row[:, 1:], row[:, 0:1])


class EvenParams(NamedTuple):
    """A trained ensemble less its odd part: |z| / 2 in place of relu(z)."""

    whole: EnsembleParams
    odd: LinearParams

    def predict(self, templates: TemplateSet, matched: tuple[jax.Array, ...]) -> Prediction:
        whole = self.whole.predict(templates, matched)
        return whole._replace(value=whole.value - self.odd.predict(templates, matched).value)


def default_networks() -> dict[str, Trained]:
    """The networks of the default unit by name, as they are stored."""
    params = catalog.load_unit("ntk").params
    found = {}
    for name, template_set in subtract_branch.template_sets(8).items():
        inner, outer = (np.asarray(each) for each in params[name][:2])
        units = inner.shape[-1]
        found[name] = Trained(template_set, inner.reshape(-1, units), outer.reshape(-1, units).T)
    return found


def linear(template_set: TemplateSet, weights: np.ndarray, read: Readout) -> LinearParams:
    """A map [templates, output bits] ready to predict."""
    table = np.concatenate([read.half_gap[None], read.threshold.T])
    shaped = weights.astype(np.float32).reshape(len(template_set.families), template_set.group, -1)
    return LinearParams(jnp.asarray(shaped), jnp.asarray(table))


def linear_share(matched: int) -> float:
    """The part of the gap between m = 0 and m = 1 that the kernel's odd part, r / 2, makes in the limit."""
    r = 1 / math.sqrt(matched)
    return r / 2 / (float(kernel.ntk(r)) - kernel.B)


def trained_linear(template_set: TemplateSet) -> LinearParams:
    """Two linear two-layer networks, trained by gradient descent from a mirrored start (identity in place of relu)."""
    labels = template_set.labels()
    keys = jax.random.split(jax.random.key(SEED), 2)
    networks = [two_layer.initialise(key, "mirrored", LINEAR_WIDTH, *labels.shape) for key in keys]
    scale = jnp.asarray(two_layer.half_weights(2) / np.sqrt(LINEAR_WIDTH // 2, dtype=np.float32))

    def predicted(network: two_layer.Network) -> jax.Array:
        return jnp.einsum("hut,huo,h->to", network.hidden, network.output, scale, precision=PRECISION)

    @jax.jit
    def step(network: two_layer.Network) -> two_layer.Network:
        # the tangent kernel on orthonormal inputs is 2 I: half of the largest rate that does not overshoot
        gradient = jax.grad(lambda each: 0.5 * jnp.sum((predicted(each) - labels) ** 2))(network)
        return jax.tree.map(lambda weight, slope: weight - np.float32(0.25) * slope, network, gradient)

    maps = []
    for network in networks:
        for _ in range(LINEAR_STEPS):
            network = step(network)
        maps.append(np.asarray(predicted(network)))
    error = max(float(np.abs(each - labels).max()) for each in maps)
    if not error <= two_layer.TOLERANCE:
        raise ArithmeticError(f"'{template_set.name}': a linear network was left with an error of {error:.2g}")
    n = np.maximum(np.arange(template_set.group + 1), 1)
    half = (0.5 / np.sqrt(n)).astype(np.float32)
    own = Readout(np.repeat(half[:, None], len(template_set.outputs), axis=1), half)
    return linear(template_set, np.mean(maps, axis=0), own)


def variants(network: Trained) -> Iterator[tuple[str, predictor.NetworkParams]]:
    """What stands in place of a network, ready to predict."""
    template_set, inner, outer = network
    read = readout.calibrated(template_set)
    whole = predictor.trained(template_set, inner, outer)
    product = inner.astype(np.float64) @ outer.astype(np.float64)
    odd = linear(template_set, product / 2, read)
    rng = np.random.default_rng(SEED)

    def weights(replace) -> predictor.NetworkParams:
        return predictor.trained(template_set, *(replace(each).astype(np.float32) for each in (inner, outer)))

    assert isinstance(whole, EnsembleParams)
    yield "relu, as trained", whole
    yield "identity", linear(template_set, product, read)
    yield "odd part, z / 2", odd
    yield "even part, |z| / 2", EvenParams(whole, odd)
    yield "weights 0", linear(template_set, np.zeros_like(product), read)
    yield "weights shuffled", weights(lambda each: rng.permutation(each.reshape(-1)).reshape(each.shape))
    yield "weights noise", weights(lambda each: rng.normal(0, each.std(), each.shape))
    yield "linear, trained", trained_linear(template_set)


def on_every_input(
    networks: Mapping[str, Trained],
    variants: Callable[[Trained], Iterator[tuple[str, Any]]],
    progress: Progress,
) -> list[tuple[Cell, ...]]:
    """A row for each variant of each network: inputs, how many and what share are wrong, the smallest margin."""
    rows: list[tuple[Cell, ...]] = []
    for name, network in networks.items():
        for variant, params in variants(network):
            found = enumeration.enumerate_inputs(
                network.template_set,
                params,
                progress=lambda part, doing=f"'{name}', {variant}": progress(doing, part),
            )
            rows.append((name, variant, found.inputs, found.wrong, found.wrong / found.inputs, found.smallest_margin))
    return rows


def measure(quick: bool, progress: Progress) -> Table:
    """Each network with each replacement on every input it can receive; nothing is trained again but the last."""
    networks = default_networks()
    rows = on_every_input({name: networks[name] for name in (QUICK if quick else networks)}, variants, progress)
    rows += controls_other_units.rows(progress)
    shares = ", ".join(f"{linear_share(n):.0%} at n = {n}" for n in (2, 4, 8, 16, 64))
    return Table(
        "The networks of ntk, modular and neural-gpu with another activation or other weights in place",
        ("network", "in place", "inputs", "inputs wrong", "share", "smallest margin"),
        tuple(rows),
        (
            "On every input that a network can receive; an input is wrong if any of its outputs is. Margins of the "
            "unit ntk are in half gaps, negative where wrong. Thresholds are those of the unit, except for the linear "
            "networks, which were trained in the same way (mirrored start, squared loss, full batch) and have their "
            "own: m = 1/2.",
            f"The network of modular is run on its whole table, that of neural-gpu on every pair of words of "
            f"{controls_other_units.WORD_BITS} bits. Their margins are the gap to the best wrong answer over its mean, "
            "and the distance of the two probabilities of a bit.",
            f"In the limit the odd part of the kernel, r / 2, makes this much of the gap: {shares}.",
            "'any' is told n, the number of its bits that are 1, by its readout, and its answer is n >= 1.",
        ),
    )
