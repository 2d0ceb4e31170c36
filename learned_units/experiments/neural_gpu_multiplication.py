"""Multiplication learned end to end: a Neural GPU as a systolic array, its error rate by length.

Trained on short factors and their products alone; no state in between is ever shown. Every seed is reported. Published
weights of a multiplying Neural GPU, trained on length 41, are used to length 401, which is why 401 is measured.
"""

from __future__ import annotations

import numpy as np

from learned_units.experiments import by_seed, limits, multiplying, products_tape
from learned_units.experiments.by_seed import SEEDS, TRAINED
from learned_units.experiments.multiplying import Phase
from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.neural_gpu.network import Network
from learned_units.store import Progress

QUICK_PHASES = (multiplying.PHASES[0]._replace(updates=20),)
LENGTHS = {4: 1000, 8: 1000, 16: 500, 32: 200, 64: 100, 128: 40, 256: 20, 401: 15}  # bits, and pairs for each seed
QUICK_LENGTHS = {4: 20, 8: 10}
TEST_SEED = 401
COLUMNS = (
    "factors",
    "bits",
    "pairs",
    *(f"wrong, seed {seed}" for seed in SEEDS),
    *(f"wrong bits, seed {seed}" for seed in SEEDS),
    "error rate",
    "at most (95 %)",
)
LEAST_PERCENT = 0.05  # below it the axis is linear


def measure(quick: bool, progress: Progress) -> Table:
    """Train each seed; one row for each kind of factors and length."""
    phases, lengths = (QUICK_PHASES, QUICK_LENGTHS) if quick else (multiplying.PHASES, LENGTHS)
    nets = by_seed.trained(lambda seed, report: multiplying.fit(seed, phases, report), "training seed", progress)
    rows: list[tuple[Cell, ...]] = []
    for name in products_tape.FACTORS:
        for length, pairs in lengths.items():
            progress(f"measuring {name} factors of {length:,} bits", TRAINED)
            rows.append(by_length(nets, name, length, pairs))
    return Table(
        "Multiplication learned end to end by a Neural GPU, by length",
        COLUMNS,
        tuple(rows),
        (
            f"Training of {multiplying.BATCH} pairs an update: {'; then '.join(map(_told, phases))}. A product is "
            "wrong if any of its bits is; all its bits count under 'wrong bits'. 'At most' is the exact upper limit of "
            "the error rate over the three nets together, at 95 % confidence.",
            "Structured factors: all ones, powers of two, equal ones, all ones and random ones, and products whose "
            "carry runs all the way up. As published and not measured here: weights trained on length 41 multiply at "
            "length 401.",
        ),
        (_panel(rows),),
    )


def _told(phase: Phase) -> str:
    return f"{phase.updates:,} updates with factors of up to {phase.lengths[-1]} bits and noise of {phase.noise}"


def by_length(nets: list[Network], name: str, length: int, pairs: int) -> tuple[Cell, ...]:
    """The row of factors of one kind and length."""
    rng = np.random.default_rng((TEST_SEED, length))
    given = products_tape.lay_out(*products_tape.FACTORS[name](rng, pairs, length), length)
    wrong = [multiplying.answers(weights, given.symbols) != given.answers for weights in nets]
    products = [int(each.any(1).sum()) for each in wrong]
    bits = [float(each.mean()) for each in wrong]
    total, cases = sum(products), pairs * len(nets)
    return (name, length, cases, *products, *bits, total / cases, limits.upper(total, cases))


def _panel(rows: list[tuple[Cell, ...]]) -> Panel:
    curves = []
    for name in products_tape.FACTORS:
        its = [row for row in rows if row[0] == name]
        lengths = tuple(float(str(row[1])) for row in its)
        for k, seed in enumerate(SEEDS):
            share = [100 * float(str(row[3 + k])) * len(SEEDS) / float(str(row[2])) for row in its]
            style = "line" if name == "random" else "dashed"
            curves.append(Curve(f"{name} factors, seed {seed}", lengths, tuple(share), style, f"seed {seed}"))
    exact = [seed for k, seed in enumerate(SEEDS) if not any(row[3 + k] for row in rows)]
    longest = max(int(str(row[1])) for row in rows)
    title = f"{len(exact)} of {len(SEEDS)} nets multiply without an error up to {longest} bits"
    return Panel(title, "bits of a factor", "products that come out wrong, %", tuple(curves), "x", LEAST_PERCENT)
