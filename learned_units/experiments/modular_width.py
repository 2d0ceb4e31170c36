"""How wide an expert must be to be right on every input (arXiv 2406.03495, figure 1, which samples the inputs).

Widths are tried in powers of two. An analytic expert is right at a width if one of its draws there is; a grokked one
if training, from one of some seeds, ends with all of the table right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.modular import experts, residues, training
from learned_units.store import Progress

MODULI = (7, 16, 23, 32, 59, 97, 113, 128, 257)
QUICK_MODULI = (7, 16, 23)
MANY_TERMS = ((7, 3), (7, 4), (23, 3), (23, 4))  # modulus, terms
GROKKED = (32, 97)
FRACTION = 0.5
SEEDS = 3
NARROWEST = 16


class Found(NamedTuple):
    """The first width that was right, and what was found there."""

    width: int
    refused: int  # draws, or seeds, before
    margin: float  # the smallest, over all inputs


def measure(quick: bool, progress: Progress) -> Table:
    """The smallest width of each expert at which every input is answered right."""
    moduli = QUICK_MODULI if quick else MODULI
    many = MANY_TERMS[:1] if quick else MANY_TERMS
    grokked = () if quick else GROKKED
    tasks: list[tuple[str, int, int, str, Callable[[int], Found | None]]] = []
    for modulus in moduli:
        tasks.append(("a + b", modulus, 2, "analytic", _analytic_sum(modulus, (1, 1))))
        tasks.append(("a - b", modulus, 2, "analytic", _analytic_sum(modulus, (1, -1))))
        if residues.is_prime(modulus):
            tasks.append(("a b", modulus, 2, "analytic", _analytic_product(modulus)))
    for modulus, terms in many:
        tasks.append((" + ".join("abcd"[:terms]), modulus, terms, "analytic", _analytic_sum(modulus, (1,) * terms)))
    for modulus in grokked:
        tasks.append(("a - b", modulus, 2, "grokked", _grokked(modulus)))
    rows: list[tuple[Cell, ...]] = []
    for k, (task, modulus, terms, weights, attempt) in enumerate(tasks):
        found = None
        width = NARROWEST
        while found is None:
            progress(f"{weights} {task} mod {modulus}: {width} units", k / len(tasks))
            found = attempt(width)
            width *= 2
        rows.append((task, modulus, terms, weights, modulus**terms, found.width, found.refused, found.margin))
    return Table(
        "The smallest width at which an expert is right on every input",
        ("task", "modulus", "terms", "weights", "inputs, all tried", "units", "refused before", "smallest margin"),
        tuple(rows),
        (
            f"Widths are powers of two from {NARROWEST} on; at each, {experts.DRAWS} draws of analytic weights, or "
            f"{SEEDS} seeds trained on {FRACTION:.0%} of the table for at most {training.MOST_EPOCHS:,} epochs. "
            "Refused before: draws, or seeds, at that width. A margin of 1 is the mean one.",
            "The activation is the power of the number of terms. What must vanish in the mean grows with it, and the "
            "width with that.",
        ),
        _panels(rows),
    )


def _analytic_sum(modulus: int, coefficients: tuple[int, ...]) -> Callable[[int], Found | None]:
    return lambda width: _drawn(lambda: experts.addition(modulus, coefficients, width, experts.ROUNDING_FLOOR))


def _analytic_product(prime: int) -> Callable[[int], Found | None]:
    return lambda width: _drawn(lambda: experts.multiplication(prime, (1, 1), width, experts.ROUNDING_FLOOR))


def _drawn(draw: Callable[[], experts.Expert]) -> Found | None:
    try:
        expert = draw()
    except experts.NoDrawAccepted:
        return None
    return Found(expert.network.units, expert.draw, expert.verification.smallest_margin)


def _grokked(modulus: int) -> Callable[[int], Found | None]:
    a, b = np.indices((modulus, modulus))

    def attempt(width: int) -> Found | None:
        for seed in range(SEEDS):
            trained = training.train((a - b) % modulus, width, FRACTION, seed)
            if trained.smallest_margin > 0:
                return Found(width, seed, trained.smallest_margin)
        return None

    return attempt


def _panels(rows: list[tuple[Cell, ...]]) -> tuple[Panel, ...]:
    by_modulus = []
    for task, weights in dict.fromkeys((str(row[0]), str(row[3])) for row in rows if row[2] == 2):
        mine = [row for row in rows if (row[0], row[3], row[2]) == (task, weights, 2)]
        x, y = (tuple(float(row[column] or 0) for row in mine) for column in (1, 5))
        style = "points" if weights == "grokked" else "line"
        by_modulus.append(Curve(f"{task}, {weights}", x, y, style, task))
    by_terms = []
    for modulus in dict.fromkeys(row[1] for row in rows if row[2] != 2):
        mine = [row for row in rows if row[1] == modulus and str(row[0]).startswith("a + b") and row[3] == "analytic"]
        x, y = (tuple(float(row[column] or 0) for row in mine) for column in (2, 5))
        by_terms.append(Curve(f"modulo {modulus}", x, y))
    widest = max((row for row in rows if row[2] == 2), key=lambda row: int(str(row[5])))
    most = max((row for row in rows if row[2] != 2), key=lambda row: int(str(row[5])))
    return (
        Panel(
            f"Experts of two terms are right on every input at {widest[5]:,} units or fewer",
            "modulus",
            "units of the expert",
            tuple(by_modulus),
            log="xy",
        ),
        Panel(
            f"A sum of {most[2]} terms modulo {most[1]} takes {most[5]:,} units",
            "terms of the sum",
            "units of the expert",
            tuple(by_terms),
            log="y",
        ),
    )
