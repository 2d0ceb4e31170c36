"""The paper's own setting on subtract-and-branch: how many trained networks suffice, beside what the bounds ask for.

The networks are those of the unit's weights `paper` (`units/ntk_paper.py`), trained now where that was not done before.
"""

from __future__ import annotations

from learned_units.circuits import subtract_branch
from learned_units.experiments.table import Cell, Table
from learned_units.networks import plain
from learned_units.proof import certificate
from learned_units.store import Progress
from learned_units.units import ntk_paper
from learned_units.weights import recipes

SIZES = (4, 8)  # bits of a word
DELTA = 0.01


def measure(quick: bool, progress: Progress) -> Table:
    """For each network of the unit, one for the whole word: the ensemble that was accepted, and the bounds."""
    rows: list[tuple[Cell, ...]] = []
    for word_bits in SIZES[:1] if quick else SIZES:
        _, manifest = recipes.obtain(ntk_paper.recipe(word_bits, "sbn", 0, None), progress)
        sets = subtract_branch.template_sets(word_bits)
        for name, each in manifest.networks.items():
            load = certificate.load_of(sets[name], 1)
            rows.append(
                (
                    word_bits,
                    name,
                    each.examples,
                    each.inputs,
                    certificate.paper_networks([load], DELTA, load.decisions, "1/k'"),
                    _needed(load),
                    each.networks,
                    each.width,
                    each.iterations,
                    each.error,
                    each.smallest_margin,
                )
            )
    return Table(
        f"The paper's setting: plain starts, its parametrisation, no momentum, threshold {plain.TOLERANCE:g}",
        (
            "bits",
            "network",
            "k'",
            "inputs",
            "version 1's bound",
            "sign",
            "trained",
            "width",
            "iterations",
            "largest error",
            "smallest margin",
        ),
        tuple(rows),
        (
            "One network for the word. The inputs are all that a network can receive when the passes before it are "
            "right: from every pair of words, and for 'select' and 'any' every set of positions. 'trained' is the "
            f"first of {', '.join(map(str, ntk_paper.NETWORKS_TRIED))} networks that is right on all of them, each "
            f"output at least {ntk_paper.MARGIN_FLOOR:g} half gaps from its threshold.",
            f"Version 1's bound, applied, and the exact tail (sign): networks for a failure of at most {DELTA:g} in "
            "all outputs of one input, at the worst n, at infinite width, with threshold 0.",
            "Where one template is matched, the mean of what it does not assert is 0 in the limit. There the margin is "
            f"that of the tolerance: {plain.TOLERANCE:g} is 0.002 half gaps.",
        ),
    )


def _needed(load: certificate.Load) -> int | None:
    distances = certificate.nearest(load, "sign", "1/k'")
    return certificate.networks_needed(lambda networks: certificate.union_of_tails(distances, networks), DELTA)
