"""How many distinct inputs a network can receive, counted exactly where they are too many to list.

`TemplateSet.reachable_inputs` lists them for groups of up to eight positions; here words of any width are counted, by
how many templates match.
"""

from __future__ import annotations

import itertools
from collections import Counter

from learned_units.circuits.templates import TemplateSet


def inputs_by_matched(template_set: TemplateSet, *, neighbour: bool) -> Counter[int]:
    """The number of distinct inputs with n templates matched, by n.

    neighbour: whether the lines of the position below the lowest one are free, as they are for a group inside a word;
    else they read 0, as below bit 0. It matters only where lines are tied by `below`.
    """
    if not template_set.below:
        number = Counter({0: 1})
        options = Counter(int(pattern.any()) for pattern in template_set.patterns())
        for _ in range(template_set.group):
            number = _convolved(number, options)
        return number
    below = dict(template_set.below)
    own = [line for line in template_set.lines if line not in below]
    assignments = list(itertools.product((0, 1), repeat=len(own)))

    def matched(here: tuple[int, ...], under: tuple[int, ...]) -> int:
        bit = dict(zip(own, here, strict=True))
        bit |= {line: under[own.index(source)] for line, source in below.items()}
        holds = (all(bit[line] == want for line, want in family.when) for family in template_set.families)
        return next((k for k, each in enumerate(holds) if each), -1)

    # Read from the bottom up, an input can come from several assignments. All that what follows depends on is which
    # assignments the position just read may have: inputs are counted by that set, and by n.
    counts = Counter({(frozenset(assignments if neighbour else [(0,) * len(own)]), 0): 1})
    for _ in range(template_set.group):
        following: Counter[tuple[frozenset[tuple[int, ...]], int]] = Counter()
        for (possible, n), number in counts.items():
            reached: dict[int, set[tuple[int, ...]]] = {}
            for here, under in itertools.product(assignments, possible):
                reached.setdefault(matched(here, under), set()).add(here)
            for family, each in reached.items():
                following[frozenset(each), n + (family >= 0)] += number
        counts = following
    total: Counter[int] = Counter()
    for (_, n), number in counts.items():
        total[n] += number
    return total


def _convolved(one: Counter[int], other: Counter[int]) -> Counter[int]:
    result: Counter[int] = Counter()
    for (n, number), (m, options) in itertools.product(one.items(), other.items()):
        result[n + m] += number * options
    return result
