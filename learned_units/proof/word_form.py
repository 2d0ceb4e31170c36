"""The paper's form, one network for the whole word, proved by shards: every network on every input it can receive.

Each network is enumerated by itself. Once `first` is right, `prefix` and `difference` see only what right bits lead to,
which is far less than the pairs of words; that all are right on their inputs, and that the passes compose, then proves
the unit for every pair of words of this width, every target and fall-through, and both instruction sets.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from learned_units.catalog import ISAS
from learned_units.circuits import subtract_branch
from learned_units.networks.ensemble import EnsembleParams
from learned_units.proof import enumeration, halves, shards, word_inputs
from learned_units.proof.enumeration import Weakest
from learned_units.proof.shards import Ran
from learned_units.proof.word_inputs import Halves
from learned_units.unit import Unit

OPERANDS = "every input of every network"
SIDE = 512  # rows of either half in a shard of `first`
LISTED = 1 << 15  # inputs in a shard of another network


class Piece(NamedTuple):
    """Inputs of one network."""

    network: str
    inputs: Halves

    @property
    def cases(self) -> int:
        """How many there are."""
        return len(self.inputs.low) * len(self.inputs.high)


@functools.cache
def pieces(word_bits: int) -> tuple[Piece, ...]:
    """The shards: those of the smaller networks first. Raises ValueError for words whose inputs are too many."""
    found = []
    listed = word_inputs.after_first(word_bits)
    for name in ("select", "any", "prefix", "difference"):
        inputs, nothing = listed[name], np.empty((1, 0), np.int8)
        found += [
            Piece(name, Halves(nothing, inputs[start : start + LISTED])) for start in range(0, len(inputs), LISTED)
        ]
    for low, high in word_inputs.first_in_halves(word_bits):
        for start in range(0, len(high), SIDE):
            for begin in range(0, len(low), SIDE):
                found.append(Piece("first", Halves(low[begin : begin + SIDE], high[start : start + SIDE])))
    return tuple(found)


@dataclass(frozen=True)
class Plan(shards.Plan):
    """All networks of a unit in the paper's form. `isa` names both instruction sets."""

    @property
    def shards(self) -> int:
        return len(pieces(self.word_bits))

    def cases_in(self, number: int) -> int:
        return pieces(self.word_bits)[number].cases

    def run(self, unit: Unit, number: int, alive: Callable[[int, int], None]) -> Ran:
        piece = pieces(self.word_bits)[number]
        template_set = subtract_branch.template_sets(self.word_bits)[piece.network]
        params = unit.params[piece.network]
        if isinstance(params, EnsembleParams) and not template_set.pooled:
            counted = halves.count(template_set, params, piece.inputs, alive)
            right, smallest = counted.open == 0, counted.smallest_margin
        else:
            alive(0, piece.cases)
            found = enumeration.enumerate_inputs(template_set, params, inputs=piece.inputs.listed())
            right, smallest = found.wrong == 0, found.smallest_margin
            alive(piece.cases, piece.cases)
        if right:
            return Ran(piece.cases, smallest, None)
        return Ran(piece.cases, smallest, enumeration.weakest(template_set, params, piece.inputs.listed()))

    def as_example(self, fields: Mapping[str, Any]) -> Weakest:
        return Weakest(**{**fields, "input": tuple(fields["input"])})


def plan(unit: Unit) -> Plan:
    """What proves a unit in the paper's form. Raises ValueError where its words are too long."""
    word_inputs.check(unit.word_bits)
    known = unit.tensor_hash or unit.detail
    return Plan(unit.name, known, unit.word_bits, "-".join(ISAS), OPERANDS, shards.evaluated(unit))


def check_composition(word_bits: int) -> None:
    """That right networks compose to subtraction and branch at this width. Raises VerificationError."""
    enumeration.check_specifications(subtract_branch.template_sets(word_bits))
    for isa in ISAS:
        enumeration.check_schedule(word_bits, isa, word_bits)
