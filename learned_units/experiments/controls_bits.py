"""What the decisions of the unit ntk-bits come from: its networks with the activation or the weights replaced.

Each network is evaluated by its definition, activation(x W) V in float64, on every input it can receive. Thresholds are
those of the unit; beside them stands what each replacement could do with the thresholds that suit it best. Least
squares on the same examples is the linear map that they determine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from learned_units import catalog
from learned_units.circuits import majorities
from learned_units.circuits.literals import LiteralSet
from learned_units.experiments.table import Cell, Table
from learned_units.networks import literals
from learned_units.store import Progress
from learned_units.weights import recipes

SEED = 0  # of what is shuffled and drawn
THRESHOLDS = 400  # tried for each output, between the smallest and the largest value it takes


class Trained(NamedTuple):
    """One network of the unit, as it is stored."""

    learned: LiteralSet
    inner: np.ndarray  # float32 [literals, units]
    outer: np.ndarray  # float32 [units, output bits]


def networks(progress: Progress | None = None) -> dict[str, Trained]:
    """The networks of the unit by name."""
    recipe = catalog.recipe("ntk-bits")
    assert recipe is not None
    tensors, _ = recipes.obtain(recipe, progress)
    return {
        name: Trained(each, tensors[f"{name}.inner"], tensors[f"{name}.outer"])
        for name, each in majorities.literal_sets().items()
    }


def variants(network: Trained) -> Iterator[tuple[str, np.ndarray]]:
    """What stands in place of a network, and its values on every input: float64 [inputs, output bits]."""
    learned = network.learned
    inputs = literals.input_vectors(learned, learned.reachable_inputs())
    rng = np.random.default_rng(SEED)
    trained = (network.inner.astype(np.float64), network.outer.astype(np.float64))

    def value(activation: Callable[[np.ndarray], np.ndarray], weights=trained) -> np.ndarray:
        inner, outer = weights
        return activation(inputs @ inner) @ outer

    def relu(sums: np.ndarray) -> np.ndarray:
        return np.maximum(sums, 0)

    yield "relu, as trained", value(relu)
    yield "identity", value(lambda sums: sums)
    yield "odd part, z / 2", value(lambda sums: sums / 2)
    yield "even part, |z| / 2", value(lambda sums: np.abs(sums) / 2)
    yield "weights 0", np.zeros((len(inputs), learned.output_bits))
    yield "weights shuffled", value(relu, [rng.permutation(each.reshape(-1)).reshape(each.shape) for each in trained])
    yield "weights noise", value(relu, [rng.normal(0, each.std(), each.shape) for each in trained])
    examples, labels = learned.examples().astype(np.float64), learned.labels().astype(np.float64)
    yield "least squares, linear", inputs @ np.linalg.lstsq(examples, labels, rcond=None)[0]


def wrong(learned: LiteralSet, value: np.ndarray) -> tuple[int, float]:
    """Inputs with a wrong output, and the smallest margin in half gaps, with the thresholds of the unit."""
    read = literals.readout(learned)
    right = learned.specify(learned.reachable_inputs())
    threshold = np.repeat(read.threshold[0], learned.output_bits // len(learned.outputs))
    margin = np.where(right, 1, -1) * (value - threshold) / read.half_gap[0]
    return int((~(margin > 0)).any(1).sum()), float(margin.min())


def wrong_at_best(learned: LiteralSet, value: np.ndarray) -> int:
    """Inputs with a wrong output, each output having the threshold at which fewest of its bits are wrong."""
    right = learned.specify(learned.reachable_inputs())
    places = learned.output_bits // len(learned.outputs)
    failed = np.zeros(len(value), bool)
    for o in range(len(learned.outputs)):
        mine, answers = value[:, o * places : (o + 1) * places], right[:, o * places : (o + 1) * places]
        low, high = float(mine.min()), float(mine.max())
        step = max(high - low, 1e-9) / THRESHOLDS
        differ = [(mine > low - step / 2 + k * step) != answers for k in range(THRESHOLDS + 2)]
        failed |= min(differ, key=np.count_nonzero).any(1)
    return int(failed.sum())


def measure(quick: bool, progress: Progress) -> Table:
    """Each network with each replacement; nothing is trained again."""
    del quick
    rows: list[tuple[Cell, ...]] = []
    for name, network in networks(progress).items():
        for replacement, value in variants(network):
            progress(f"'{name}', {replacement}", 0.5)
            found, margin = wrong(network.learned, value)
            best = wrong_at_best(network.learned, value)
            rows.append((name, replacement, len(value), found, found / len(value), margin, best))
    return Table(
        "The networks of the unit ntk-bits with something in place of relu or of the trained weights",
        ("network", "in place", "inputs", "inputs wrong", "share", "smallest margin", "wrong, best thresholds"),
        tuple(rows),
        (
            "On every input that a network can receive, in float64; an input is wrong if any of its outputs is. "
            "Margins are in half gaps, negative where wrong, at the thresholds of the unit. In the last column each "
            "output has the threshold that suits the replacement best.",
        ),
    )
