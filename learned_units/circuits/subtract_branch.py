"""Subtract and branch by a parallel-prefix borrow: five template sets, three to seven passes.

At position i, a and b are the bits of minuend and subtrahend and x their exclusive or. Over an interval of
positions that ends at i, G says that a borrow leaves the interval whatever enters it, P that the interval
passes a borrow on; they are never both 1. `first` computes x, and G and P over intervals of 2; `prefix` joins
RADIX adjacent intervals into one; `difference` joins DIFFERENCE_TERMS below the position and combines the borrow
with x; `any` and `select` decide the branch and choose the next pc. Bits outside the word read as 0, which is
right for all of them: nothing is borrowed below bit 0. Derived in docs/verification.md.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from learned_units import bits
from learned_units.circuits.passes import Pass, Read, Spread
from learned_units.circuits.templates import Family, TemplateSet

FIRST_SPAN = 2  # positions in an interval after `first`
RADIX = 4  # intervals joined by `prefix`
DIFFERENCE_TERMS = 2  # intervals joined by `difference`
ANY_GROUP = 8  # bits pooled by `any` at most, also where other sets serve the whole word


def any_group(group: int) -> int:
    """Bits pooled by `any` at a time where other sets serve `group` positions; one alone would pool nothing."""
    return max(2, min(group, ANY_GROUP))


def template_sets(group: int) -> dict[str, TemplateSet]:
    """The five template sets over `group` positions, by name."""
    generated = [f"G{t}" for t in range(RADIX)]
    passed = [f"P{t}" for t in range(RADIX)]
    first = TemplateSet(
        name="first",
        families=(
            Family((("a", 0), ("b", 1)), ("x", "G")),
            Family((("a", 1), ("b", 0)), ("x",)),
            *(Family((("a", v), ("b", v), ("a_below", 0), ("b_below", 1)), ("G",)) for v in (0, 1)),
            *(Family((("a", v), ("b", v), ("a_below", u), ("b_below", u)), ("P",)) for v in (0, 1) for u in (0, 1)),
        ),
        outputs=("x", "G", "P"),
        group=group,
        below=(("a_below", "a"), ("b_below", "b")),
    )
    prefix = TemplateSet(
        name="prefix",
        families=(
            *(Family((*((p, 1) for p in passed[:t]), (generated[t], 1)), ("G",)) for t in range(RADIX)),
            Family(tuple((p, 1) for p in passed), ("P",)),
        ),
        outputs=("G", "P"),
        group=group,
        never=tuple(zip(generated, passed, strict=True)),
    )
    terms = range(DIFFERENCE_TERMS)
    # x = 0 and a borrow comes in through term t; x = 1 and term t stops any borrow. The last term need not say that
    # it passes none on: below it there is nothing.
    difference = TemplateSet(
        name="difference",
        families=(
            *(Family((("x", 0), *((p, 1) for p in passed[:t]), (generated[t], 1)), ("d",)) for t in terms),
            *(
                Family(
                    (
                        ("x", 1),
                        *((p, 1) for p in passed[:t]),
                        (generated[t], 0),
                        *(((passed[t], 0),) if t < DIFFERENCE_TERMS - 1 else ()),
                    ),
                    ("d",),
                )
                for t in terms
            ),
        ),
        outputs=("d",),
        group=group,
        never=tuple(zip(generated, passed, strict=True))[: DIFFERENCE_TERMS - 1],
    )
    select = TemplateSet(
        name="select",
        families=(Family((("flag", 1), ("yes", 1)), ("chosen",)), Family((("flag", 0), ("no", 1)), ("chosen",))),
        outputs=("chosen",),
        group=group,
    )
    pooled = TemplateSet(
        name="any",
        families=(Family((("bit", 1),), ("some",)),),
        outputs=("some",),
        group=any_group(group),
        pooled=True,
    )
    return {each.name: each for each in (first, prefix, difference, select, pooled)}


@functools.cache
def schedule(word_bits: int, isa: str, group: int) -> tuple[Pass, ...]:
    """The passes of one instruction: fields a, b, C, F and `one` (a single 1) in, fields d and pc out."""
    passes = [
        Pass(
            "first",
            word_bits,
            (("a", Read("a")), ("b", Read("b")), ("a_below", Read("a", 1)), ("b_below", Read("b", 1))),
            (("x", "x"), ("G", "G"), ("P", "P")),
        )
    ]
    span = FIRST_SPAN
    while DIFFERENCE_TERMS * span < word_bits - 1:
        reads = [(f"{name}{t}", Read(name, t * span)) for t in range(RADIX) for name in ("G", "P")]
        passes.append(Pass("prefix", word_bits, tuple(reads), (("G", "G"), ("P", "P"))))
        span *= RADIX
    reads = [(f"{name}{t}", Read(name, 1 + t * span)) for t in range(DIFFERENCE_TERMS) for name in ("G", "P")]
    used = [(line, source) for line, source in reads if line != f"P{DIFFERENCE_TERMS - 1}"]
    passes.append(Pass("difference", word_bits, (("x", Read("x")), *used), (("d", "d"),)))
    sign = word_bits - 1
    taken = Spread("d", sign)
    if isa == "subleq":
        # nonzero: some x is 1, over groups, then over the flags of the groups; taken: nonzero ? sign : 1
        pooled = any_group(group)
        count, source = word_bits, "x"
        while count > 1:
            passes.append(Pass("any", count, (("bit", Read(source)),), (("some", "nonzero"),)))
            count, source = -(-count // pooled), "nonzero"
        passes.append(
            Pass(
                "select",
                1,
                (("flag", Spread("nonzero", 0)), ("yes", Read("d", -sign)), ("no", Read("one"))),
                (("chosen", "taken"),),
            )
        )
        taken = Spread("taken", 0)
    passes.append(
        Pass("select", word_bits, (("flag", taken), ("yes", Read("C")), ("no", Read("F"))), (("chosen", "pc"),))
    )
    return tuple(passes)


def input_fields(
    minuend: jax.Array, subtrahend: jax.Array, target: jax.Array, fall_through: jax.Array, word_bits: int
) -> dict[str, jax.Array]:
    """Words uint32 [limbs, ...] -> the fields the schedule starts from, float32 [bits, ...] of 0 and 1."""
    words = {"a": minuend, "b": subtrahend, "C": target, "F": fall_through}
    fields = {name: bits.limbs_to_bits(word, word_bits) for name, word in words.items()}
    return fields | {"one": jnp.ones((1, *minuend.shape[1:]), jnp.float32)}
