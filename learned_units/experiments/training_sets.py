"""How many examples a training set has, and how many inputs its network must be right on.

The number of distinct inputs is counted, not estimated: where the lines of neighbouring positions are tied, by walking
over the sets of assignments that an input seen so far may come from.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter

from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.store import Progress
from learned_units.tasks import subtract_branch
from learned_units.templates import TemplateSet

WIDTHS = (4, 8, 16, 32, 64)
GROUP = 8


def distinct_inputs(template_set: TemplateSet, *, neighbour: bool) -> int:
    """How many distinct inputs a network can receive: which template matches at each position.

    neighbour: whether the lines of the position below the lowest one are free, as they are for a group inside a word;
    else they read 0. Only matters where lines are tied by `below`.
    """
    if not template_set.below:
        return len({tuple(row) for row in template_set.patterns().tolist()}) ** template_set.group
    below = dict(template_set.below)
    own = [line for line in template_set.lines if line not in below]
    assignments = list(itertools.product((0, 1), repeat=len(own)))

    def matched(here: tuple[int, ...], under: tuple[int, ...]) -> int:
        bit = dict(zip(own, here, strict=True))
        bit |= {line: under[own.index(source)] for line, source in below.items()}
        holds = (all(bit[line] == want for line, want in family.when) for family in template_set.families)
        return next((k for k, each in enumerate(holds) if each), -1)

    # An input read from the bottom up can come from several assignments: count inputs by the set of assignments the
    # position just read may have, which is all that what follows depends on.
    counts = Counter({frozenset(assignments if neighbour else [(0,) * len(own)]): 1})
    for _ in range(template_set.group):
        following: Counter[frozenset[tuple[int, ...]]] = Counter()
        for possible, number in counts.items():
            reached: dict[int, set[tuple[int, ...]]] = {}
            for here, under in itertools.product(assignments, possible):
                reached.setdefault(matched(here, under), set()).add(here)
            for each in reached.values():
                following[frozenset(each)] += number
        counts = following
    return sum(counts.values())


def measure(quick: bool, progress: Progress) -> Table:
    """Examples and inputs of subtract-and-branch, with one network for the word and with groups."""
    rows: list[tuple[Cell, ...]] = []
    for word_bits in WIDTHS:
        progress(f"counting inputs: words of {word_bits} bits", WIDTHS.index(word_bits) / len(WIDTHS))
        for form, group, neighbour in (
            (f"SBN, groups of {GROUP}", GROUP, True),
            ("SBN, one network for the word", word_bits, False),
        ):
            sets = subtract_branch.template_sets(group).values()
            inputs = sum(distinct_inputs(each, neighbour=neighbour) for each in sets)
            rows.append((form, word_bits, sum(each.size for each in sets), math.log2(inputs), 4 * word_bits))
    return Table(
        "Training examples, and the inputs to be right on",
        ("task", "bits", "examples", "log2 distinct inputs of the networks", "log2 inputs of the task"),
        tuple(rows),
        (
            "The examples are templates, each alone. The inputs of a network are which templates match; those of the "
            "task are its words (two operands, two addresses).",
        ),
        (_panel(rows),),
    )


def _panel(rows: list[tuple[Cell, ...]]) -> Panel:
    curves = []
    for task in dict.fromkeys(str(row[0]) for row in rows):
        mine = [row for row in rows if row[0] == task]
        curves.append(Curve(task, tuple(float(row[1] or 0) for row in mine), tuple(float(row[2] or 0) for row in mine)))
    return Panel("Examples", "bits of a word", "training examples", tuple(curves), log="xy")
