"""How many examples a training set has, and how many inputs its network must be right on.

The number of distinct inputs is counted, not estimated (`learned_units/proof/counting.py`).
"""

from __future__ import annotations

import math

from learned_units.circuits import addition, multiplication, permutation, subtract_branch
from learned_units.circuits.state_templates import TemplateList
from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.proof.counting import inputs_by_matched
from learned_units.store import Progress

WIDTHS = (4, 8, 16, 32, 64)
GROUP = 8


def measure(quick: bool, progress: Progress) -> Table:
    """Examples and inputs of each task; of subtract-and-branch with one network for the word, and with groups."""
    rows: list[tuple[Cell, ...]] = []
    for word_bits in WIDTHS:
        progress(f"counting inputs: words of {word_bits} bits", WIDTHS.index(word_bits) / len(WIDTHS))
        for form, group, neighbour in (
            (f"SBN, groups of {GROUP}", GROUP, True),
            ("SBN, one network for the word", word_bits, False),
        ):
            sets = subtract_branch.template_sets(group).values()
            inputs = sum(inputs_by_matched(each, neighbour=neighbour).total() for each in sets)
            rows.append((form, word_bits, sum(each.size for each in sets), math.log2(inputs), 4 * word_bits))
        for task, made, operands in (
            ("permutation, the paper's", permutation.paper(range(word_bits)), 1),
            ("addition, the paper's ripple", addition.ripple(word_bits), 2),
            ("multiplication, the paper's ripple", multiplication.ripple(word_bits), 2),
        ):
            (network,) = made.networks
            assert isinstance(network, TemplateList)
            rows.append((task, word_bits, len(network.templates), None, operands * word_bits))
    order = list(dict.fromkeys(row[0] for row in rows))
    rows.sort(key=lambda row: order.index(row[0]))
    return Table(
        "Training examples, and the inputs to be right on",
        ("task", "bits", "examples", "log2 inputs of the networks", "log2 inputs of the task"),
        tuple(rows),
        (
            "The examples are templates, each alone. The inputs of a network are which templates match, all that occur "
            "or, where positions are independent, that could; those of the task are its operands and, for SBN, two "
            "addresses. Padding is not counted.",
        ),
        (_panel(rows),),
    )


def _panel(rows: list[tuple[Cell, ...]]) -> Panel:
    curves = []
    for task in dict.fromkeys(str(row[0]) for row in rows):
        mine = [row for row in rows if row[0] == task]
        curves.append(Curve(task, tuple(float(row[1] or 0) for row in mine), tuple(float(row[2] or 0) for row in mine)))
    grouped = [row for row in rows if row[0] == f"SBN, groups of {GROUP}"]
    examples = int(str(grouped[-1][2]))
    title = (
        f"{examples} examples serve SBN at every width; the task has 2^{grouped[-1][4]} inputs at {grouped[-1][1]} bits"
    )
    return Panel(title, "bits of a word", "training examples", tuple(curves), log="xy")
