"""Addition of two numbers of any number of bits, the carry out included.

The paper's design (arXiv 2502.16763) ripples: sums and carries of the bits in one pass, carries moved up in the next,
all by one network that rewrites the state (p, q, c). The grouped one adds by a parallel prefix, as `subtract_branch`
subtracts: a template set of its own finds sums, generated and passed carries over intervals of 2, and the networks
that join borrows join carries as they stand.
"""

from __future__ import annotations

import functools

from learned_units.circuits import subtract_branch
from learned_units.circuits.algorithm import Algorithm, Rewrite
from learned_units.circuits.passes import Pass, Pick, Read
from learned_units.circuits.state_templates import Template, TemplateList
from learned_units.circuits.subtract_branch import DIFFERENCE_TERMS, FIRST_SPAN, RADIX
from learned_units.circuits.templates import Family, TemplateSet


def ripple(bits: int) -> Algorithm:
    """The paper's design: 4 bits templates, 3 bits of state for each of the operands', 2 bits passes.

    p and q begin as the summands, c as 0. A pass makes p the sums of p and q without carries and c the carries, while
    the carries of the pass before move up into q; the last carry stays in c, bit `bits` of the result.
    """
    templates = []
    for i in range(bits):
        p, q, c = ("p", i), ("q", i), ("c", i)
        templates += [
            Template(((p, 0), (q, 1)), (p,)),
            Template(((p, 1), (q, 0)), (p,)),
            Template(((p, 1), (q, 1)), (c,)),
            Template(((c, 1),), (("q", i + 1),) if i + 1 < bits else (c,)),
        ]
    state = (("p", bits), ("q", bits), ("c", bits))
    # Either c is 0, or q is, and no position has both p and c; only the last carry stays, and with it some position has
    # nothing, as the sum is less than 2^(bits + 1) - 1. So no more templates match than there are positions.
    network = TemplateList("addition", state, state, tuple(templates), most_matched=bits)
    return Algorithm(
        name="addition, the paper's ripple",
        networks=(network,),
        steps=(Rewrite(("addition",), 2 * bits),),
        inputs=(("p", bits), ("q", bits)),
        output=(*(("p", i) for i in range(bits)), ("c", bits - 1)),
    )


def first(group: int) -> TemplateSet:
    """x: the bits differ. G: a carry leaves the pair (i, i - 1). P: the pair passes a carry on."""
    differing = tuple((("a", v), ("b", 1 - v)) for v in (0, 1))
    return TemplateSet(
        name="add",
        families=(
            Family((("a", 1), ("b", 1)), ("G",)),
            *(Family((*bits, ("a_below", 1), ("b_below", 1)), ("x", "G")) for bits in differing),
            *(Family((*bits, ("a_below", 0), ("b_below", 0)), ("x",)) for bits in differing),
            *(Family((*bits, ("a_below", u), ("b_below", 1 - u)), ("x", "P")) for bits in differing for u in (0, 1)),
        ),
        outputs=("x", "G", "P"),
        group=group,
        below=(("a_below", "a"), ("b_below", "b")),
    )


def template_sets(group: int) -> dict[str, TemplateSet]:
    """The three template sets by name; `prefix` and `difference` are those of subtraction."""
    shared = subtract_branch.template_sets(group)
    return {"add": first(group), "prefix": shared["prefix"], "difference": shared["difference"]}


def passes(summands: tuple[tuple[str, Read | Pick], ...], positions: int, result: str) -> tuple[Pass, ...]:
    """The passes from two summands to their sum modulo 2^positions, in the field `result`.

    summands: where the lines a, b, a_below and b_below of `add` read. `x`, `G` and `P` are written on the way.
    """
    steps = [Pass("add", positions, summands, (("x", "x"), ("G", "G"), ("P", "P")))]
    span = FIRST_SPAN
    while DIFFERENCE_TERMS * span < positions - 1:
        reads = tuple((f"{name}{t}", Read(name, t * span)) for t in range(RADIX) for name in ("G", "P"))
        steps.append(Pass("prefix", positions, reads, (("G", "G"), ("P", "P"))))
        span *= RADIX
    below = [(f"{name}{t}", Read(name, 1 + t * span)) for t in range(DIFFERENCE_TERMS) for name in ("G", "P")]
    used = (line for line in below if line[0] != f"P{DIFFERENCE_TERMS - 1}")
    steps.append(Pass("difference", positions, (("x", Read("x")), *used), (("d", result),)))
    return tuple(steps)


@functools.cache
def grouped(bits: int, group: int) -> Algorithm:
    """Parallel-prefix addition: 3 to 5 passes up to 64 bits."""
    summands = (("a", Read("a")), ("b", Read("b")), ("a_below", Read("a", 1)), ("b_below", Read("b", 1)))
    return Algorithm(
        name="addition, parallel prefix",
        networks=tuple(template_sets(group).values()),
        steps=passes(summands, bits + 1, "sum"),
        inputs=(("a", bits), ("b", bits)),
        output=tuple(("sum", i) for i in range(bits + 1)),
    )
