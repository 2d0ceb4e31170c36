"""How much of the weights the decisions need: rounded, noisy and removed, on every input of the default unit."""

from __future__ import annotations

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from learned_units.experiments.controls import Trained, default_networks, on_every_input
from learned_units.experiments.table import Table
from learned_units.networks import predictor, rounded
from learned_units.networks.predictor import NetworkParams
from learned_units.store import Progress

FLOATS = ("float16", "bfloat16")
BITS = (8, 7, 6, 5, 4)
NOISE = (0.01, 0.02, 0.05)  # standard deviation, over that of the tensor
REMOVED = 0.01  # part of the hidden units
SEED = 0
QUICK = ("select", "any")


def variants(network: Trained) -> Iterator[tuple[str, NetworkParams]]:
    """The network with less precise weights, ready to predict. Its thresholds stay."""
    template_set, inner, outer = network

    def changed(change) -> NetworkParams:
        return predictor.trained(template_set, *(change(each).astype(np.float32) for each in (inner, outer)))

    yield "float32, as trained", changed(lambda each: each)
    for name in FLOATS:
        yield name, changed(lambda each, name=name: np.asarray(jnp.asarray(each).astype(name).astype(jnp.float32)))
    for bits in BITS:
        both = (rounded.rounded(each, bits) for each in (inner, outer))
        yield f"int{bits}", rounded.make_rounded(template_set, *both)
    for part in NOISE:
        rng = np.random.default_rng(SEED)
        yield (
            f"noise of {part:.0%}",
            changed(lambda each, part=part, rng=rng: each + part * each.std() * rng.normal(size=each.shape)),
        )
    units = inner.shape[1]
    gone = np.random.default_rng(SEED).choice(units, max(1, round(REMOVED * units)), replace=False)
    kept = np.where(np.isin(np.arange(units), gone), 0, 1)
    yield (
        f"{REMOVED:.0%} of units removed",
        predictor.trained(template_set, inner, (outer * kept[:, None]).astype(np.float32)),
    )


def measure(quick: bool, progress: Progress) -> Table:
    """Each network with each kind of weights on every input it can receive."""
    networks = default_networks()
    rows = on_every_input({name: networks[name] for name in (QUICK if quick else networks)}, variants, progress)
    return Table(
        "The networks of the default unit with less precise weights",
        ("network", "weights", "inputs", "inputs wrong", "share", "smallest margin"),
        tuple(rows),
        (
            "On every input that a network can receive; an input is wrong if any of its outputs is. Sums are float32 "
            "throughout, thresholds those of the unit. Integers have one scale for each tensor; noise is Gaussian, its "
            "standard deviation a part of that of the tensor; one draw.",
            "Units removed: at a mirrored start the halves cancel exactly, unit by unit, so a missing one leaves its "
            "whole untrained function in the sum.",
        ),
    )
