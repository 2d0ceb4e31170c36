"""Subtract and branch from single bits: six literal sets, and the passes of an instruction.

At position i, a and b are the bits of minuend and subtrahend. Over an interval of positions that ends at i, G says that
a borrow leaves it if none enters, H that one leaves it if one enters; so H is 1 where G is. `borrow` computes both for
an interval of one position: G is b and not a, H is b or not a. `prefix` joins an interval (G0, H0) with the adjacent
one below, (G1, H1): a borrow leaves both if two of G0, H0, G1 are 1, and with H1 in place of G1 if one enters. `differ`
is the exclusive or: of a and b, then of that and the borrow. `gate` and `either` choose the next pc, `any` tells
whether a word is zero. Bits outside the word read as 0, which is right for all of them. Derived in docs/ntk_bits.md.
"""

from __future__ import annotations

import functools

from learned_units.circuits.literals import LiteralSet
from learned_units.circuits.passes import Pass, Read, Spread
from learned_units.circuits.templates import Family

GROUP = 4  # positions a network serves


def _counting(name: str, asserted: dict[tuple[str, int], tuple[str, ...]], least: dict[str, int], **more) -> LiteralSet:
    """A set whose examples are single literals: all of the lines, with the outputs they assert, if any."""
    lines = dict.fromkeys(line for line, _ in asserted)
    families = (Family(((line, bit),), asserted.get((line, bit), ())) for line in lines for bit in (0, 1))
    return LiteralSet(name, tuple(families), tuple(least), tuple(least.values()), **more)


def literal_sets(group: int = GROUP) -> dict[str, LiteralSet]:
    """The six literal sets over `group` positions, by name."""
    borrow = _counting("borrow", {("a", 0): ("G", "H"), ("b", 1): ("G", "H")}, {"G": 2, "H": 1}, group=group)
    differ = LiteralSet(
        name="differ",
        families=tuple(Family((("p", p), ("q", q)), ("x",) if p != q else ()) for p in (0, 1) for q in (0, 1)),
        outputs=("x",),
        least=(1,),
        group=group,
    )
    prefix = _counting(
        "prefix",
        {("G0", 1): ("G", "H"), ("H0", 1): ("G", "H"), ("G1", 1): ("G",), ("H1", 1): ("H",)},
        {"G": 2, "H": 2},
        group=group,
        implies=(("G0", "H0"), ("G1", "H1")),
    )
    gate = _counting(
        "gate",
        {("flag", 1): ("first",), ("yes", 1): ("first",), ("flag", 0): ("second",), ("no", 1): ("second",)},
        {"first": 2, "second": 2},
        group=group,
    )
    either = _counting("either", {("p", 1): ("chosen",), ("q", 1): ("chosen",)}, {"chosen": 1}, group=group)
    pooled = _counting("any", {("bit", 1): ("some",)}, {"some": 1}, group=2 * group, pooled=True)
    return {each.name: each for each in (borrow, differ, prefix, gate, either, pooled)}


@functools.cache
def schedule(word_bits: int, isa: str, group: int = GROUP) -> tuple[Pass, ...]:
    """The passes of one instruction: fields a, b, C, F and `one` (a single 1) in, fields d and pc out."""
    passes = [
        Pass("differ", word_bits, (("p", Read("a")), ("q", Read("b"))), (("x", "x"),)),
        Pass("borrow", word_bits, (("a", Read("a")), ("b", Read("b"))), (("G", "G"), ("H", "H"))),
    ]
    span = 1
    while span < word_bits - 1:
        reads = [(f"{name}{t}", Read(name, t * span)) for t in (0, 1) for name in ("G", "H")]
        passes.append(Pass("prefix", word_bits, tuple(reads), (("G", "G"), ("H", "H"))))
        span *= 2
    passes.append(Pass("differ", word_bits, (("p", Read("x")), ("q", Read("G", 1))), (("x", "d"),)))
    sign = word_bits - 1
    taken = Spread("d", sign)
    if isa == "subleq":
        # nonzero: some x is 1, over groups, then over the flags of the groups; taken: nonzero ? sign : 1
        pooled = 2 * group
        count, source = word_bits, "x"
        while count > 1:
            passes.append(Pass("any", count, (("bit", Read(source)),), (("some", "nonzero"),)))
            count, source = -(-count // pooled), "nonzero"
        passes += _select(1, Spread("nonzero", 0), Read("d", -sign), Read("one"), "taken")
        taken = Spread("taken", 0)
    return (*passes, *_select(word_bits, taken, Read("C"), Read("F"), "pc"))


def _select(positions: int, flag: Spread, yes: Read, no: Read, chosen: str) -> tuple[Pass, Pass]:
    """flag ? yes : no at every position, in two passes."""
    gated = (("first", "first"), ("second", "second"))
    return (
        Pass("gate", positions, (("flag", flag), ("yes", yes), ("no", no)), gated),
        Pass("either", positions, (("p", Read("first")), ("q", Read("second"))), (("chosen", chosen),)),
    )
