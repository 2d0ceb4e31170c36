"""Multiplication of the single string "a*b", as the paper has it: how far the unit's cell comes in a small budget.

The tape holds the digits of the one factor, a sign and the digits of the other, least significant first, and is read
after as many steps as it has positions. Cell, size and training are those of the other tasks on strings.
"""

from __future__ import annotations

import numpy as np

from learned_units.experiments import by_seed, ingredients, limits
from learned_units.experiments.by_seed import SEEDS, TRAINED
from learned_units.experiments.ingredients import CELL, Ingredients
from learned_units.experiments.sequences import ZERO, SequenceTask
from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.neural_gpu import tape
from learned_units.store import Progress

UPDATES = 3000
QUICK_UPDATES = 20
LENGTHS = (1, 2, 3, 4, 5, 6, 8, 10)  # bits of a factor; tapes of training have up to 22 positions: 10 bits
QUICK_LENGTHS = (1, 3)
CASES, QUICK_CASES = 1000, 20  # pairs of each length, for each seed
TEST_SEED = 1511
TIMES = 4  # the symbol of the sign
COLUMNS = (
    "bits",
    "pairs",
    *(f"wrong, seed {seed}" for seed in SEEDS),
    "error rate",
    "at most (95 %)",
)


def _multiplied(rng: np.random.Generator, length: int, count: int, trains: bool) -> tuple[np.ndarray, np.ndarray]:
    del trains
    first, second = rng.integers(0, 2, (2, count, length), np.uint8)
    sign = np.full((count, 1), TIMES, np.uint8)
    products = [a * b for a, b in zip(tape.to_ints(first), tape.to_ints(second), strict=True)]
    return np.concatenate([first + ZERO, sign, second + ZERO], 1), tape.to_bits(products, 2 * length + 1)


MULTIPLY = SequenceTask("multiply", lambda length: 2 * length + 1, _multiplied)


def measure(quick: bool, progress: Progress) -> Table:
    """Train each seed; one row for each length."""
    updates, lengths, cases = (QUICK_UPDATES, QUICK_LENGTHS, QUICK_CASES) if quick else (UPDATES, LENGTHS, CASES)
    nets = by_seed.trained(
        lambda seed, report: ingredients.fit(CELL, MULTIPLY, Ingredients(curriculum=True), seed, updates, report),
        "training seed",
        progress,
    )
    rows: list[tuple[Cell, ...]] = []
    for length in lengths:
        progress(f"measuring {length} bits", TRAINED)
        wrong = [ingredients.wrong(CELL, weights, MULTIPLY, length, cases, TEST_SEED) for weights in nets]
        total, pairs = sum(wrong), cases * len(nets)
        rows.append((length, pairs, *wrong, total / pairs, limits.upper(total, pairs)))
    return Table(
        'Multiplication of the string "a*b" by the unit\'s cell, by length',
        COLUMNS,
        tuple(rows),
        (
            f"{updates:,} updates of 32 strings of 3 to 21 symbols, two factors of 1 to 10 bits with a sign between "
            "them; short ones first. Training draws from all pairs, so those of few bits were all seen. 'At most' is "
            "the exact upper limit of the error rate over the three nets together, at 95 % confidence.",
        ),
        (_panel(rows, cases),),
    )


def _panel(rows: list[tuple[Cell, ...]], cases: int) -> Panel:
    lengths = tuple(float(str(row[0])) for row in rows)
    shares = [[100 * float(str(row[2 + k])) / cases for row in rows] for k in range(len(SEEDS))]
    curves = [Curve(f"seed {seed}", lengths, tuple(share)) for seed, share in zip(SEEDS, shares, strict=True)]
    longest = max((length for length, *each in zip(lengths, *shares, strict=True) if not any(each)), default=0)
    told = f"no net errs on {longest:.0f} bits" if longest else "every length has errors"
    return Panel(f'The string "a*b": {told}', "bits of a factor", "products that come out wrong, %", tuple(curves))
