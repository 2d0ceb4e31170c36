"""Permutation of a bit string: bit i goes to place permutation[i].

The paper's design (arXiv 2502.16763): one template a bit, [bit i = 1] -> place permutation[i], one pass of one network.
The grouped one: a network for every GROUP bits writes its part of the whole result, and `any` joins the parts; each
of its networks has few enough inputs to try them all.
"""

from __future__ import annotations

from collections.abc import Sequence

from learned_units.circuits import subtract_branch
from learned_units.circuits.algorithm import Algorithm, Rewrite
from learned_units.circuits.passes import Pass, Pick
from learned_units.circuits.state_templates import Template, TemplateList

GROUP = 8  # bits one network reads, and parts `any` joins
MOST_BITS = GROUP * GROUP


def check(permutation: Sequence[int]) -> tuple[int, ...]:
    """The permutation as a tuple. Raises ValueError if it is none of 0 .. its length - 1."""
    given = tuple(int(place) for place in permutation)
    missing = sorted(set(range(len(given))) - set(given))
    if missing:
        raise ValueError(
            f"a permutation of {len(given)} bits must name each of 0 .. {len(given) - 1}; {missing[0]} is missing"
        )
    return given


def paper(permutation: Sequence[int]) -> Algorithm:
    """One network of len(permutation) templates."""
    places = check(permutation)
    bits = len(places)
    templates = tuple(Template(((("x", i), 1),), (("y", place),)) for i, place in enumerate(places))
    network = TemplateList("permutation", (("x", bits),), (("y", bits),), templates, most_matched=bits)
    return Algorithm(
        name="permutation, the paper's design",
        networks=(network,),
        steps=(Rewrite(("permutation",)),),
        inputs=(("x", bits),),
        output=tuple(("y", place) for place in range(bits)),
    )


def grouped(permutation: Sequence[int]) -> Algorithm:
    """A network of up to GROUP templates for every GROUP bits, then one pass of `any`."""
    places = check(permutation)
    bits = len(places)
    if bits > MOST_BITS:
        raise ValueError(f"{bits} bits are too many: the grouped permutation takes up to {MOST_BITS}")
    lists = []
    for part, first in enumerate(range(0, bits, GROUP)):
        own = range(first, min(first + GROUP, bits))
        templates = tuple(Template(((("x", i), 1),), ((f"part{part}", places[i]),)) for i in own)
        lists.append(
            TemplateList(f"part{part}", (("x", bits),), ((f"part{part}", bits),), templates, most_matched=len(own))
        )
    joined = tuple(
        (f"part{part}", place) if part < len(lists) else None for place in range(bits) for part in range(GROUP)
    )
    join = subtract_branch.template_sets(GROUP)["any"]
    return Algorithm(
        name="permutation, grouped",
        networks=(*lists, join),
        steps=(
            Rewrite(tuple(each.name for each in lists)),
            Pass("any", bits * GROUP, (("bit", Pick(joined)),), (("some", "y"),)),
        ),
        inputs=(("x", bits),),
        output=tuple(("y", place) for place in range(bits)),
    )
