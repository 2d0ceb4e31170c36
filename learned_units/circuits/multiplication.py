"""Multiplication of two numbers of the same number of bits; the product has twice as many.

The paper's design (arXiv 2502.16763): shift and add with a ripple adder, one network that rewrites the whole
state, counters and flags included. The grouped one: all partial products in one pass of `select`, three rows added
into two by full adders until two are left, then a parallel-prefix addition.
"""

from __future__ import annotations

import functools
import itertools

from learned_units.circuits import addition, subtract_branch
from learned_units.circuits.algorithm import Algorithm, Rewrite
from learned_units.circuits.passes import Pass, Pick
from learned_units.circuits.state_templates import NamedBit, Template, TemplateList
from learned_units.circuits.templates import Family, TemplateSet

FULL_ADDER_GROUP = 4  # positions: 8^4 inputs

Row = tuple[NamedBit | None, ...]  # where each bit of a summand stands; None is 0


def ripple(bits: int) -> Algorithm:
    """The paper's design: 20 bits + 2 templates, 18 bits + 1 of state, 4 bits^2 + 3 bits passes, padding `bits`.

    For each bit of the multiplier a: `check` looks at its lowest bit; if it is 1, the multiplicand b is copied into q
    and added to p (as in `addition.ripple`) while `count` lets 4 bits passes go by; then a moves down and b up.
    """
    double = range(2 * bits)
    halve: tuple[NamedBit, ...] = tuple(("down", i) for i in range(bits))
    both = (*halve, *(("up", i) for i in double))
    last = 4 * bits - 1
    templates = [
        # a bit stays unless it moves; the lowest bit of a has its own templates while it is looked at
        *(
            Template(((("a", i), 1), (("down", i), 0), *(((("check", 0), 0),) if i == 0 else ())), (("a", i),))
            for i in range(bits)
        ),
        *(Template(((("b", i), 1), (("up", i), 0)), (("b", i),)) for i in double),
        Template(((("check", 0), 1), (("a", 0), 1)), (("a", 0), *(("copy", i) for i in double))),
        Template(((("check", 0), 1), (("a", 0), 0)), both),
        # copy b into q; the count begins whatever the lowest bit of b is
        Template(((("copy", 0), 1), (("b", 0), 0)), (("count", 0),)),
        *(
            Template(((("copy", i), 1), (("b", i), 1)), (("b", i), ("q", i), *((("count", 0),) if i == 0 else ())))
            for i in double
        ),
        *(Template(((("p", i), v), (("q", i), 1 - v)), (("p", i),)) for v in (0, 1) for i in double),
        *(Template(((("p", i), 1), (("q", i), 1)), (("c", i),)) for i in double),
        *(Template(((("c", i), 1),), (("q", i + 1),)) for i in double[:-1]),
        *(Template(((("count", i), 1),), (("count", i + 1),)) for i in range(last)),
        Template(((("count", last), 1),), both),
        # the lowest bit of a falls out, whatever it is, and the next is to be looked at
        *(Template(((("a", 0), v), (("check", 0), 0), (("down", 0), 1)), (("check", 0),)) for v in (0, 1)),
        *(Template(((("a", i), 1), (("down", i), 1)), (("a", i - 1),)) for i in range(1, bits)),
        *(Template(((("b", i), 1), (("up", i), 1)), (("b", i + 1),)) for i in double[:-1]),
    ]
    state = (("a", bits), ("down", bits), ("b", 2 * bits), ("up", 2 * bits), ("copy", 2 * bits))
    state += (("p", 2 * bits), ("q", 2 * bits), ("c", 2 * bits), ("count", 4 * bits), ("check", 1))
    # When j bits of a are done, a has `bits` - j more, b has `bits`, and p = b (a mod 2^j) fewer than `bits` + j (none
    # if j = 0). To them come `bits` copies and, b being even unless j = 0, one for its lowest bit; later, instead, the
    # count, with q and c as in `addition.ripple`, which is less.
    network = TemplateList("multiplication", state, state, tuple(templates), most_matched=4 * bits, padding=bits)
    return Algorithm(
        name="multiplication, the paper's shift and ripple add",
        networks=(network,),
        steps=(Rewrite(("multiplication",), 4 * bits**2 + 3 * bits),),
        inputs=(("a", bits), ("b", bits)),
        output=tuple(("p", i) for i in double),
        ones=(("check", 0),),
    )


def full_adder() -> TemplateSet:
    """Of three bits at each position, their sum modulo 2 and the carry."""
    values = [v for v in itertools.product((0, 1), repeat=3) if any(v)]
    outputs = {1: ("sum",), 2: ("carry",), 3: ("sum", "carry")}
    return TemplateSet(
        name="full-adder",
        families=tuple(Family(tuple(zip("uvw", v, strict=True)), outputs[sum(v)]) for v in values),
        outputs=("sum", "carry"),
        group=FULL_ADDER_GROUP,
    )


def template_sets(group: int) -> dict[str, TemplateSet]:
    """The five template sets by name; `select`, `prefix` and `difference` are those of subtraction."""
    select = subtract_branch.template_sets(group)["select"]
    return {"select": select, "full-adder": full_adder()} | addition.template_sets(group)


@functools.cache
def grouped(bits: int, group: int) -> Algorithm:
    """Partial products, a tree of full adders, parallel-prefix addition."""
    width = 2 * bits

    # [b_j, a_i] -> bit i + j of row j: `select` with the bit of b as its flag and nothing as its alternative
    flag = tuple(("b", j) for j in range(bits) for _ in range(bits))
    chosen = tuple(("a", i) for _ in range(bits) for i in range(bits))
    products = (("flag", Pick(flag)), ("yes", Pick(chosen)), ("no", Pick((None,) * bits**2)))
    steps = [Pass("select", bits**2, products, (("chosen", "products"),))]
    rows: list[Row] = []
    for j in range(bits):
        own = tuple(("products", j * bits + i) for i in range(bits))
        rows.append((None,) * j + own + (None,) * (width - bits - j))
    level = 0
    while len(rows) > 2:
        triples = [rows[t : t + 3] for t in range(0, len(rows) - 2, 3)]
        rest = rows[3 * len(triples) :]
        lines = tuple((line, Pick(tuple(bit for t in triples for bit in t[k]))) for k, line in enumerate("uvw"))
        sums, carries = f"sum{level}", f"carry{level}"
        steps.append(Pass("full-adder", width * len(triples), lines, (("sum", sums), ("carry", carries))))
        rows = []
        for t in range(len(triples)):
            rows.append(tuple((sums, t * width + i) for i in range(width)))
            rows.append((None, *((carries, t * width + i) for i in range(width - 1))))
        rows += rest
        level += 1
    rows += [(None,) * width] * (2 - len(rows))
    summands = (("a", Pick(rows[0])), ("b", Pick(rows[1])))
    summands += (("a_below", Pick((None, *rows[0]))), ("b_below", Pick((None, *rows[1]))))
    steps += addition.passes(summands, width, "product")
    return Algorithm(
        name="multiplication, full adders and parallel prefix",
        networks=tuple(template_sets(group).values()),
        steps=tuple(steps),
        inputs=(("a", bits), ("b", bits)),
        output=tuple(("product", i) for i in range(width)),
    )
