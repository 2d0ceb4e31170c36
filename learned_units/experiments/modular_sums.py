"""Networks trained on sums of two, three and four terms modulo a prime, and how like the analytic weights they become.

The paper (arXiv 2406.03495) trains such networks and finds the analytic solution in their weights. Here no row that is
reported decides anything: a validation sample says when to stop (`learned_units/modular/sampled.py`). The paper's own
training, squared loss and 5,000 units, is tried once for each modulus.
"""

from __future__ import annotations

import statistics
from typing import NamedTuple

import numpy as np

from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.modular import experts, sampled, spectrum
from learned_units.modular.sampled import Recipe
from learned_units.store import Progress


class Case(NamedTuple):
    """A sum, what is trained on it, and how often."""

    modulus: int
    terms: int
    units: int
    rows: tuple[int, int, int]  # trained on, validated on, reported
    most_updates: int
    seeds: int
    recipe: Recipe
    name: str = "ours"


def _ours(
    modulus: int, terms: int, units: int, rows: tuple[int, int, int], most_updates: int, seeds: int, batch: int = 2048
) -> Case:
    return Case(modulus, terms, units, rows, most_updates, seeds, sampled.grokking(units, batch))


def _papers(modulus: int, rows: tuple[int, int, int]) -> Case:
    """AdamW on squared loss, 5,000 units, full batch; the start has the scale of the analytic weights."""
    units = 5000
    scale = (2 / units) ** (1 / 3) / 2**0.5
    recipe = Recipe("squared", 0.005, 5.0, scale, scale, modulus**2)
    return Case(modulus, 2, units, rows, 500, 1, recipe, "the paper's")


CASES = (
    _ours(23, 2, 256, (317, 53, 159), 1000, 5),
    _ours(23, 3, 256, (6083, 1000, 5084), 1000, 5),
    _ours(23, 4, 1024, (130_000, 1000, 20_000), 1500, 2),
    _ours(97, 2, 256, (4704, 1000, 3705), 1000, 5),
    _ours(97, 3, 512, (400_000, 1000, 20_000), 1500, 5),
    _ours(97, 4, 1024, (1_000_000, 1000, 20_000), 1500, 1),
    _papers(23, (264, 53, 212)),
    _papers(97, (4704, 1000, 3705)),
)
QUICK = (_ours(11, 2, 64, (90, 10, 21), 400, 2), _ours(11, 3, 128, (900, 100, 331), 300, 1))
LEARNED = 0.95  # of the reported rows, by every seed: then the title calls a sum learned
COLUMNS = (
    "p",
    "terms",
    "training",
    "units",
    "inputs",
    "trained on",
    "seeds",
    "all validated right",
    "updates",
    "reported right %, mean",
    "least",
    "most",
    "IPR",
    "analytic IPR",
    "one frequency %",
    "phases",
)


class Likeness(NamedTuple):
    """Of trained weights to the analytic ones; means over the units."""

    reported: float  # share of right rows
    updates: int
    validated: bool  # all of them right
    participation: float  # 1 for a single frequency
    agreeing: float  # share of units
    phases: float


def measure(quick: bool, progress: Progress) -> Table:
    """Every case with every seed, and the likeness of the weights."""
    cases = QUICK if quick else CASES
    trainings = sum(case.seeds for case in cases)
    rows: list[tuple[Cell, ...]] = []
    found: list[tuple[Case, list[Likeness]]] = []
    for case in cases:
        likenesses: list[Likeness] = []
        for seed in range(case.seeds):
            done = sum(len(each) for _, each in found) + seed

            def report(updates: int, share: float, case: Case = case, seed: int = seed, done: int = done) -> None:
                what = f"training on {case.terms} terms mod {case.modulus}, {case.name}, seed {seed}: {share:.0%} right"
                progress(what, (done + updates / case.most_updates) / trainings)

            likenesses.append(trained(case, seed, report))
        found.append((case, likenesses))
        rows.append(_row(case, likenesses))
    return Table(
        "Sums modulo a prime, learned by training",
        COLUMNS,
        tuple(rows),
        (
            "Training stops when every row of a validation sample is right, or when its updates, set beforehand, are "
            "used up; the reported rows are others, at which neither training nor stopping looks. Ours: cross-entropy "
            "and AdamW as in the recipe of the experts, at most 2,048 rows an update. The paper's: squared loss, "
            "5,000 units, AdamW with learning rate 0.005 and weight decay 5 on all rows; the scale of the start is "
            "that of the analytic weights.",
            "IPR: the inverse participation ratio of a unit's spectrum, 1 for one frequency. One frequency: units "
            "whose strongest frequency is the same for all terms and the output. Phases: the mean cosine, over these "
            "units, between the phase of the output and the sum of the terms' phases, which is 1 in the analytic "
            "weights. Means over the seeds.",
        ),
        (_panel(found),),
    )


def trained(case: Case, seed: int, progress) -> Likeness:
    """One training and what became of it."""
    inputs = sampled.draw(case.modulus, case.terms, case.rows, np.random.default_rng((case.modulus, case.terms, seed)))
    parted = sampled.parts(inputs, inputs.sum(1) % case.modulus, case.rows)
    fitted = sampled.fit(parted, case.modulus, case.units, case.recipe, case.most_updates, seed, progress)
    seen = spectrum.measure(fitted.inner, fitted.outer)
    return Likeness(
        fitted.reported,
        fitted.updates,
        fitted.validated == 1,
        float(seen.participation.mean()),
        float(seen.agreeing.mean()),
        spectrum.phase_agreement(fitted.inner, fitted.outer),
    )


def _row(case: Case, found: list[Likeness]) -> tuple[Cell, ...]:
    rng = np.random.default_rng(0)
    analytic = spectrum.measure(*experts.addition_weights(case.modulus, (1,) * case.terms, 256, rng))
    reported = [100 * each.reported for each in found]
    return (
        case.modulus,
        case.terms,
        case.name,
        case.units,
        case.modulus**case.terms,
        case.rows[0],
        case.seeds,
        sum(each.validated for each in found),
        round(statistics.mean(each.updates for each in found)),
        statistics.mean(reported),
        min(reported),
        max(reported),
        statistics.mean(each.participation for each in found),
        float(analytic.participation.mean()),
        100 * statistics.mean(each.agreeing for each in found),
        statistics.mean(each.phases for each in found),
    )


def _panel(found: list[tuple[Case, list[Likeness]]]) -> Panel:
    ours = [(case, each) for case, each in found if case.name == "ours"]
    curves = []
    for modulus in dict.fromkeys(case.modulus for case, _ in ours):
        mine = [(case, each) for case, each in ours if case.modulus == modulus]
        terms = tuple(float(case.terms) for case, _ in mine)
        for style, name, pick in (("line", "least", min), ("points", "most", max)):
            shares = tuple(100 * pick(each.reported for each in likenesses) for _, likenesses in mine)
            curves.append(Curve(f"modulo {modulus}, {name} of the seeds", terms, shares, style, str(modulus)))
    learned = [case for case, likenesses in ours if min(each.reported for each in likenesses) >= LEARNED]
    title = (
        f"{len(learned)} of {len(ours)} sums are learned: {100 * LEARNED:.0f} % or more of rows never seen are right"
    )
    return Panel(title, "terms of the sum", "rows that are right, %", tuple(curves))
