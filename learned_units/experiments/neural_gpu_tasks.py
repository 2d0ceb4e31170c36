"""The Neural GPU's tasks on strings, each learned by the unit's cell, beside a plain recurrent network of equal size.

Copy, reverse, duplicate, sort, count and add (arXiv 1511.08228), trained on tapes of up to 22 positions and measured on
strings of up to 2,000 bits. Nothing is selected: every seed is reported.
"""

from __future__ import annotations

from learned_units.experiments import by_seed, ingredients, limits, sequences
from learned_units.experiments.by_seed import SEEDS, TRAINED
from learned_units.experiments.ingredients import CELL, PLAIN, Ingredients
from learned_units.experiments.sequences import SequenceTask
from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.store import Progress

UPDATES = 800
QUICK_UPDATES = 20
LENGTHS = {20: 1000, 50: 300, 100: 100, 500: 10, 2000: 2}  # bits, and strings for each seed
QUICK_LENGTHS = {20: 20, 50: 5}
TEST_SEED = 1511
KINDS = {"Neural GPU": CELL, "plain recurrent": PLAIN}
COLUMNS = (
    "task",
    "network",
    "bits",
    "strings",
    *(f"wrong, seed {seed}" for seed in SEEDS),
    "error rate",
    "at most (95 %)",
)
LEAST_PERCENT = 0.05  # below it the axis is linear


def measure(quick: bool, progress: Progress) -> Table:
    """Train each kind of network on each task with each seed; one row for each length."""
    updates, lengths = (QUICK_UPDATES, QUICK_LENGTHS) if quick else (UPDATES, LENGTHS)
    rows: list[tuple[Cell, ...]] = []
    stages = [(task, name) for task in sequences.TASKS for name in KINDS]
    for k, (task, name) in enumerate(stages):

        def report(what: str, part: float, k: int = k) -> None:
            progress(what, (k + part) / len(stages))

        rows += by_length(task, name, updates, lengths, report)
    return Table(
        "The Neural GPU's tasks, by length",
        COLUMNS,
        tuple(rows),
        (
            f"Both networks have the same number of parameters, up to rounding, and {updates:,} updates of 32 tapes of "
            f"up to {ingredients.POSITIONS} positions: strings of 1 to 20 bits, for duplicate of 1 to 11. The plain "
            "one reads the tape once, from the first position to the last. A string is wrong if any bit of its answer "
            "is. The share of ones in a string is itself uniform; summands are adversarial, as in the unit's tests. "
            "'At most' is the exact upper limit of the error rate over the three nets together, at 95 % confidence.",
        ),
        (_panel(rows, "Neural GPU"), _panel(rows, "plain recurrent")),
    )


def by_length(
    task: SequenceTask, name: str, updates: int, lengths: dict[int, int], progress: Progress
) -> list[tuple[Cell, ...]]:
    """The rows of one task and kind of network."""
    kind = KINDS[name]
    nets = by_seed.trained(
        lambda seed, report: ingredients.fit(kind, task, Ingredients(), seed, updates, report),
        f"training {task.name}, {name}, seed",
        progress,
    )
    rows = []
    for length, cases in lengths.items():
        progress(f"measuring {task.name}, {name}: {length:,} bits", TRAINED)
        wrong = [ingredients.wrong(kind, weights, task, length, cases, TEST_SEED) for weights in nets]
        total, strings = sum(wrong), cases * len(nets)
        rows.append((task.name, name, length, strings, *wrong, total / strings, limits.upper(total, strings)))
    return rows


def _panel(rows: list[tuple[Cell, ...]], name: str) -> Panel:
    mine = [row for row in rows if row[1] == name]
    curves, exact = [], []
    for task in dict.fromkeys(str(row[0]) for row in mine):
        its = [row for row in mine if row[0] == task]
        bits = tuple(float(str(row[2])) for row in its)
        rates = tuple(100 * float(str(row[-2])) for row in its)
        curves.append(Curve(task, bits, rates))
        if not any(rates):
            exact.append(task)
    longest = max(int(str(row[2])) for row in mine)
    told = f"{', '.join(exact)} without an error" if exact else "no task without errors"
    title = f"{name}: {told} up to {longest:,} bits, of {len(curves)} tasks"
    return Panel(title, "bits of the string", "strings that come out wrong, %", tuple(curves), "x", LEAST_PERCENT)
