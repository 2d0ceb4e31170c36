"""What makes the aligned subtractor right on long words: the ingredients of its training, one more or one less.

The ingredients are those of the Neural GPU's papers (arXiv 1511.08228, 1702.08727). All nets have the unit's cell and
size and the same number of updates; every seed is reported.
"""

from __future__ import annotations

from learned_units.experiments import by_seed, ingredients, limits, sequences
from learned_units.experiments.by_seed import SEEDS, TRAINED
from learned_units.experiments.ingredients import CELL, RELAXED, Ingredients
from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.store import Progress

UPDATES = 800
QUICK_UPDATES = 20
LENGTHS = {20: 500, 256: 50, 2000: 2}  # bits, and adversarial pairs for each seed
QUICK_LENGTHS = {20: 20, 50: 5}
TEST_SEED = 2016
NAMED = {
    "state noise and saturation cost": (CELL, Ingredients()),
    "without state noise": (CELL, Ingredients(noise=0)),
    "without saturation cost": (CELL, Ingredients(penalty=0)),
    "dropout for state noise": (CELL, Ingredients(noise=0, dropout=0.1)),
    "and dropout": (CELL, Ingredients(dropout=0.1)),
    "and gradient noise": (CELL, Ingredients(gradient_noise=0.1)),
    "and a curriculum": (CELL, Ingredients(curriculum=True)),
    "and relaxed sharing": (RELAXED, Ingredients()),
}
LEAST_PERCENT = 0.1  # below it the axis is linear


def measure(quick: bool, progress: Progress) -> Table:
    """One row for each training, with its error at each length."""
    updates, lengths = (QUICK_UPDATES, QUICK_LENGTHS) if quick else (UPDATES, LENGTHS)
    rows: list[tuple[Cell, ...]] = []
    for k, name in enumerate(NAMED):

        def report(what: str, part: float, k: int = k) -> None:
            progress(what, (k + part) / len(NAMED))

        rows.append(row(name, updates, lengths, report))
    columns = ["training"]
    for length in lengths:
        columns += [f"{length:,} bits, seed {seed}" for seed in SEEDS] + [f"{length:,} bits, at most"]
    return Table(
        "Aligned subtraction: wrong adversarial pairs in percent, by what is added to the training",
        tuple(columns),
        tuple(rows),
        (
            f"{updates:,} updates of 32 tapes of 1 to 20 bits; the recipe of the unit has more. Pairs for each seed: "
            f"{', '.join(f'{cases:,} of {length:,} bits' for length, cases in lengths.items())}. 'At most' is the "
            "exact upper limit of the error rate over the three seeds together, at 95 % confidence.",
            "State noise: uniform, half width 0.3. Saturation cost: 0.0001 of what enters a nonlinearity beyond 0.9. "
            "Dropout: a tenth of the state is 0 before each step. Gradient noise: Gaussian, 0.1 at the start. "
            f"Curriculum: up to {', '.join(map(str, ingredients.CURRICULUM))} bits, through the first half. Relaxed "
            f"sharing: {ingredients.COPIES} copies of the parameters, taken in turn and pulled together by "
            f"{ingredients.SHARED_FROM:.0%} of the training.",
        ),
        (_panel(rows, tuple(lengths)),),
    )


def row(name: str, updates: int, lengths: dict[int, int], progress: Progress) -> tuple[Cell, ...]:
    """What one training leads to, with every seed."""
    kind, given = NAMED[name]
    nets = by_seed.trained(
        lambda seed, report: ingredients.fit(kind, sequences.SUBTRACT, given, seed, updates, report),
        f"training '{name}', seed",
        progress,
    )
    cells: list[Cell] = [name]
    for length, cases in lengths.items():
        progress(f"measuring '{name}': {length:,} bits", TRAINED)
        wrong = [ingredients.wrong(kind, net, sequences.SUBTRACT, length, cases, TEST_SEED) for net in nets]
        rates = [100 * each / cases for each in wrong]
        cells += [*rates, 100 * limits.upper(sum(wrong), cases * len(nets))]
    return tuple(cells)


def _panel(rows: list[tuple[Cell, ...]], lengths: tuple[int, ...]) -> Panel:
    curves = []
    for row in rows:
        each = len(SEEDS) + 1
        means = [
            sum(map(float, map(str, row[1 + k * each : k * each + each]))) / len(SEEDS) for k in range(len(lengths))
        ]
        curves.append(Curve(str(row[0]), tuple(map(float, lengths)), tuple(means)))
    at = lengths[-1]
    kept = [curve.label for curve in curves if curve.y[-1] == 0]
    title = f"{len(kept)} of {len(curves)} trainings end without an error at {at:,} bits, of three seeds each"
    return Panel(title, "bits of the operands", "pairs that come out wrong, %", tuple(curves), "x", LEAST_PERCENT)
