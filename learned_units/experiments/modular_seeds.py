"""The polynomials of `modular.py` modulo 23 and 97, from five seeds each, with a validation part to say when to stop.

Neither the weights nor the number of updates depend on the rows that are reported, and the spread over the seeds is
told beside the paper's figures, of which there is one each (arXiv 2406.03495, appendix C).
"""

from __future__ import annotations

import statistics

import numpy as np

from learned_units.experiments.modular import CANDIDATES, UNITS, Candidate, table_of
from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.modular import sampled
from learned_units.store import Progress

MODULI = (23, 97)
SEEDS = 5
# Parts of the table: trained on, validated on, reported.
SHARES = (0.5, 0.1, 0.4)
MOST_UPDATES = 1500
QUICK_UPDATES = 100
COLUMNS = (
    "polynomial",
    "p",
    "paper expects",
    "paper: held out %",
    "reported right %, mean",
    "least",
    "most",
    "training %",
    "seeds all right",
    "commonest answer %",
    "updates",
)


def measure(quick: bool, progress: Progress) -> Table:
    """Every polynomial for both moduli."""
    moduli = MODULI[:1] if quick else MODULI
    stages = [(candidate, modulus) for modulus in moduli for candidate in CANDIDATES]
    rows: list[tuple[Cell, ...]] = []
    for k, (candidate, modulus) in enumerate(stages):

        def report(what: str, part: float, k: int = k) -> None:
            progress(what, (k + part) / len(stages))

        rows.append(row(candidate, modulus, QUICK_UPDATES if quick else MOST_UPDATES, report))
    return Table(
        "Modular polynomials, from five seeds each",
        COLUMNS,
        tuple(rows),
        (
            f"{UNITS} units, trained on half of the table by the recipe of the experts for at most {MOST_UPDATES:,} "
            "updates, or until every row of another tenth is right. Reported are the remaining rows, which decide "
            f"nothing: mean, least and most of {SEEDS} seeds. The paper expects a network to learn exactly the "
            "polynomials of the form h(g1(a) + g2(b)); its figures are one training each, with 5,000 units.",
        ),
        (_panel(rows, moduli),),
    )


def row(candidate: Candidate, modulus: int, most_updates: int, progress: Progress) -> tuple[Cell, ...]:
    """One polynomial, from every seed."""
    labels = table_of(candidate.text, modulus).reshape(-1)
    trained, validated = (round(share * len(labels)) for share in SHARES[:2])
    sizes = (trained, validated, len(labels) - trained - validated)
    found = []
    for seed in range(SEEDS):

        def report(updates: int, share: float, seed: int = seed) -> None:
            what = f"training on {candidate.text} mod {modulus}, seed {seed}: {share:.0%} right"
            progress(what, (seed + updates / most_updates) / SEEDS)

        inputs = sampled.draw(modulus, 2, sizes, np.random.default_rng((modulus, seed)))
        parted = sampled.parts(inputs, labels[inputs[:, 0] * modulus + inputs[:, 1]], sizes)
        recipe = sampled.grokking(UNITS, len(labels))
        found.append(sampled.fit(parted, modulus, UNITS, recipe, most_updates, seed, report))
    reported = [100 * each.reported for each in found]
    return (
        candidate.text,
        modulus,
        "yes" if candidate.form else "no",
        candidate.paper.get(modulus),
        statistics.mean(reported),
        min(reported),
        max(reported),
        100 * min(each.trained for each in found),
        sum(each.reported == 1 for each in found),
        100 * float(np.bincount(labels).max() / len(labels)),
        round(statistics.mean(each.updates for each in found)),
    )


def _panel(rows: list[tuple[Cell, ...]], moduli: tuple[int, ...]) -> Panel:
    curves, told = [], []
    for modulus in moduli:
        mine = [row for row in rows if row[1] == modulus]
        place = tuple(float(k + 1) for k in range(len(mine)))
        for column, name, style in ((5, "least", "line"), (6, "most", "points")):
            shares = tuple(float(str(row[column])) for row in mine)
            curves.append(Curve(f"modulo {modulus}, {name} of five seeds", place, shares, style, str(modulus)))
        learned = sum(row[8] == SEEDS for row in mine)
        told.append(f"{learned} of {len(mine)} modulo {modulus}")
    title = f"Polynomials of which all {SEEDS} seeds learn every row: {', '.join(told)}"
    return Panel(title, "polynomial, in the order of the table", "reported rows that are right, %", tuple(curves))
