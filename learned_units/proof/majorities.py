"""Proof that the passes of the unit ntk-bits compose to subtraction and branch.

That each network answers what its literal set specifies is enumerated (`enumeration.enumerate_inputs`). Here: each
literal set specifies what its name says, over every assignment of its lines, and every schedule is wired so that

    borrow_j = G_j or (H_j and borrow_(j - span)),  H_j where G_j

holds after `borrow` with span 1 and is kept by `prefix` with the span doubled. Once the span reaches every bit below,
G is the borrow, and d_j = x_j xor G_(j-1). The argument in full is in docs/ntk_bits.md.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units import bits
from learned_units.catalog import ISAS
from learned_units.circuits.literals import LiteralSet
from learned_units.circuits.majorities import GROUP, literal_sets, schedule
from learned_units.circuits.passes import Pass, Prediction, Read, Source, Spread
from learned_units.proof.enumeration import Meaning, VerificationError, check_specifications, only


class Specified(NamedTuple):
    """Parameters of a network that answers as its literal set specifies: what wrong weights are compared with."""

    def predict(self, templates: LiteralSet, matched: tuple[jax.Array, ...]) -> Prediction:
        """How many of its examples each output finds in the input, float32 [groups, outputs, positions, ...]; the
        threshold is half an example below what suffices."""

        def line(name: str, bit: int) -> jax.Array:
            start = templates.lines.index(name) * templates.group
            return matched[bit][:, start : start + templates.group]

        counts = []
        for output in templates.outputs:
            asserting = [family.when for family in templates.families if output in family.then]
            found = [functools.reduce(operator.mul, itertools.starmap(line, when)) for when in asserting]
            total = functools.reduce(operator.add, found)
            counts.append(total.sum(1, keepdims=True) if templates.pooled else total)
        value = jnp.stack(counts, 1)
        further = (1,) * (value.ndim - 2)
        least = jnp.asarray(np.array(templates.least, np.float32).reshape(1, -1, *further))
        half = jnp.full((1, 1, *further), 0.5, jnp.float32)
        return Prediction(value, least - half, half)


def _borrow_means(bit: Mapping[str, int], said: Mapping[str, bool]) -> bool:
    borrows = {into: bit["a"] - bit["b"] - into < 0 for into in (0, 1)}
    return said["G"] == borrows[0] and said["H"] == borrows[1] and said["G"] <= said["H"]


def _prefix_means(bit: Mapping[str, int], said: Mapping[str, bool]) -> bool:
    def leaves(into: bool) -> bool:
        below = bool(bit["G1"]) or (bool(bit["H1"]) and into)
        return bool(bit["G0"]) or (bool(bit["H0"]) and below)

    return said["G"] == leaves(False) and said["H"] == leaves(True) and said["G"] <= said["H"]


def _differ_means(bit: Mapping[str, int], said: Mapping[str, bool]) -> bool:
    return said["x"] == (bit["p"] != bit["q"])


def _gate_means(bit: Mapping[str, int], said: Mapping[str, bool]) -> bool:
    kept = said["first"] == (bool(bit["flag"]) and bool(bit["yes"]))
    return kept and said["second"] == (not bit["flag"] and bool(bit["no"]))


def _either_means(bit: Mapping[str, int], said: Mapping[str, bool]) -> bool:
    return said["chosen"] == (bool(bit["p"]) or bool(bit["q"]))


def _any_means(bit: Mapping[str, int], said: Mapping[str, bool]) -> bool:
    return said["some"] == bool(bit["bit"])  # at one position; a pooled set counts over all of them


MEANINGS: dict[str, Meaning] = {
    "borrow": _borrow_means,
    "prefix": _prefix_means,
    "differ": _differ_means,
    "gate": _gate_means,
    "either": _either_means,
    "any": _any_means,
}


def check_schedule(word_bits: int, isa: str) -> None:
    """The wiring of one width and instruction set. Raises VerificationError naming the pass."""
    steps = list(schedule(word_bits, isa))

    def require(condition: bool, what: str) -> None:
        if not condition:
            raise VerificationError(f"the {word_bits}-bit {isa} schedule {what}")

    def following(network: str, positions: int, reads: dict[str, Source], writes: dict[str, str], what: str) -> None:
        require(bool(steps) and steps[0].network == network, f"lacks {what}")
        step: Pass = steps.pop(0)
        right = step.positions == positions and only(step.reads, reads) and only(step.writes, writes)
        require(right, f"miswires {what}")

    def choice(positions: int, flag: Spread, yes: Read, no: Read, chosen: str, what: str) -> None:
        gated = {"first": "first", "second": "second"}
        following("gate", positions, {"flag": flag, "yes": yes, "no": no}, gated, f"the gates of {what}")
        following("either", positions, {"p": Read("first"), "q": Read("second")}, {"chosen": chosen}, what)

    following("differ", word_bits, {"p": Read("a"), "q": Read("b")}, {"x": "x"}, "the exclusive or of the operands")
    following("borrow", word_bits, {"a": Read("a"), "b": Read("b")}, {"G": "G", "H": "H"}, "the borrow of a position")
    span = 1
    while steps and steps[0].network == "prefix":
        reads: dict[str, Source] = {f"{name}{t}": Read(name, t * span) for t in (0, 1) for name in "GH"}
        following("prefix", word_bits, reads, {"G": "G", "H": "H"}, f"the prefix at span {span}")
        span *= 2
    require(span >= word_bits - 1, f"leaves borrows over {span} bits out")
    following("differ", word_bits, {"p": Read("x"), "q": Read("G", 1)}, {"x": "d"}, "the difference")
    taken = Spread("d", word_bits - 1)
    if isa == "subleq":
        pooled, count, source = literal_sets()["any"].group, word_bits, "x"
        while steps and steps[0].network == "any":
            following("any", count, {"bit": Read(source)}, {"some": "nonzero"}, f"the zero flag over {count} bits")
            count, source = -(-count // pooled), "nonzero"
        require(count == 1, f"leaves {count} zero flags")
        choice(1, Spread("nonzero", 0), Read("d", 1 - word_bits), Read("one"), "taken", "the branch decision")
        taken = Spread("taken", 0)
    choice(word_bits, taken, Read("C"), Read("F"), "pc", "the next pc")
    require(not steps, "does not end with the next pc")


def check_composition() -> int:
    """All of the above at every width and for both instruction sets. Returns the number of schedules."""
    check_specifications(literal_sets(GROUP), MEANINGS)
    widths = range(bits.MIN_WORD_BITS, bits.MAX_WORD_BITS + 1)
    for word_bits, isa in itertools.product(widths, ISAS):
        check_schedule(word_bits, isa)
    return len(widths) * len(ISAS)
