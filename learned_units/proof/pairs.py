"""Verification of any unit by operands: its answers against exact integers.

A plan says which operands: all pairs of words, or a sample, half uniform and half adversarial. Its shards are run, and
recorded, by `shards.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from learned_units.catalog import load_unit
from learned_units.proof import operands, shards
from learned_units.proof.operands import Cases
from learned_units.proof.shards import Ran
from learned_units.unit import Decision, Results, Unit, weakness
from learned_units.units.ntk import NtkSpec

ALL = "all pairs of operands"
SAMPLED = "pairs of operands, half uniform, half adversarial"
SHARD = 1 << 18  # pairs of words in a shard of ALL
SAMPLED_SHARD = 1 << 15
MOST_EXHAUSTIVE_BITS = 16


@dataclass(frozen=True)
class Counterexample:
    """A case the unit gets wrong, and the decision to blame: the first wrong one where that can be told, else the
    weakest."""

    minuend: int
    subtrahend: int
    target: int
    fall_through: int
    difference: int
    next_pc: int
    exact_difference: int
    exact_next_pc: int
    decision: Decision | None


@dataclass(frozen=True)
class Plan(shards.Plan):
    """Which pairs of words a unit is run on."""

    cases: int
    seed: int = 0

    @property
    def shard(self) -> int:
        """Pairs in a shard; the last one may have fewer."""
        return SAMPLED_SHARD if self.operands == SAMPLED else SHARD

    @property
    def shards(self) -> int:
        return -(-self.cases // self.shard)

    def cases_in(self, number: int) -> int:
        return min(self.shard, self.cases - number * self.shard)

    def run(self, unit: Unit, number: int, alive: Callable[[int, int], None]) -> Ran:
        cases = _shard(self, number)
        done, margin, of = 0, float("inf"), len(cases[0])
        alive(done, of)
        for found in unit.in_blocks(np.stack(cases)):
            minuend, subtrahend, target, fall_through = (column[done : done + len(found.margin)] for column in cases)
            example = _first_wrong(unit, (minuend, subtrahend, target, fall_through), found)
            if example is not None:
                return Ran(done, margin, example)
            done += len(found.margin)
            margin = float(np.minimum(margin, found.margin.min()))  # a NaN stays
            alive(done, of)
        return Ran(done, margin, None)

    def as_example(self, fields: Mapping[str, Any]) -> Counterexample:
        decision = None if fields["decision"] is None else Decision(**fields["decision"])
        return Counterexample(**{**fields, "decision": decision})

    def as_manifest(self, covered: shards.Coverage) -> dict[str, Any]:
        return super().as_manifest(covered) | {"seed": self.seed}


def plan(unit: Unit, cases: int | None = None, seed: int = 0) -> Plan:
    """All operands where that is asked for (`cases` None), or a sample of `cases` pairs.

    Raises ValueError where all are too many to run.
    """
    known = unit.tensor_hash or unit.detail
    kind = SAMPLED if cases is not None else ALL
    if cases is None and unit.word_bits > MOST_EXHAUSTIVE_BITS:
        raise ValueError(
            f"all pairs of {unit.word_bits}-bit words are too many; up to {MOST_EXHAUSTIVE_BITS} bits they can be run, "
            "beyond that a number of cases must be given"
        )
    count = 1 << (2 * unit.word_bits) if cases is None else cases
    evaluated = shards.evaluated(unit)
    return Plan(unit.name, known, unit.word_bits, unit.isa, kind, evaluated, count, seed if cases is not None else 0)


def _shard(plan: Plan, number: int) -> Cases:
    rng = np.random.default_rng([plan.seed, number])
    bits = plan.word_bits
    if plan.operands == SAMPLED:
        count = plan.cases_in(number)
        halves = (operands.uniform(rng, count - count // 2, bits), operands.adversarial(rng, count // 2, bits))
        minuend, subtrahend, target, fall_through = (np.concatenate(column) for column in zip(*halves, strict=True))
        return minuend, subtrahend, target, fall_through
    index = np.arange(number * plan.shard, number * plan.shard + plan.cases_in(number), dtype=np.uint64)
    minuend, subtrahend = index >> np.uint64(bits), index & np.uint64((1 << bits) - 1)
    return minuend, subtrahend, operands.words(rng, len(minuend), bits), operands.words(rng, len(minuend), bits)


def _first_wrong(unit: Unit, cases: Cases, found: Results) -> Counterexample | None:
    """The first of some cases that the unit gets wrong."""
    difference, next_pc = (column.astype(np.uint64) for column in (found.difference, found.next_pc))
    exact_difference, exact_next_pc = exact(cases, unit.word_bits, unit.isa)
    wrong = (difference != exact_difference) | (next_pc != exact_next_pc) | ~(found.margin > 0)  # a NaN is wrong
    if not wrong.any():
        return None
    k = int(wrong.argmax())
    given = [int(column[k]) for column in cases]
    return Counterexample(
        minuend=given[0],
        subtrahend=given[1],
        target=given[2],
        fall_through=given[3],
        difference=int(difference[k]),
        next_pc=int(next_pc[k]),
        exact_difference=int(exact_difference[k]),
        exact_next_pc=int(exact_next_pc[k]),
        decision=_blamed(unit, given),
    )


def exact(cases: Cases, word_bits: int, isa: str) -> tuple[np.ndarray, np.ndarray]:
    """Difference and next pc by integer arithmetic, uint64."""
    minuend, subtrahend, target, fall_through = cases
    difference = (minuend - subtrahend) & np.uint64((1 << word_bits) - 1)
    taken = (difference >> np.uint64(word_bits - 1)) == 1
    if isa == "subleq":
        taken |= difference == 0
    return difference, np.where(taken, target, fall_through)


def _blamed(unit: Unit, given: list[int]) -> Decision | None:
    """The first decision that right networks would make otherwise, for a trained NTK unit; for others the weakest."""
    decisions = unit.explain(*given)
    right = _right_networks(unit)
    for decision, exact in zip(decisions, right.explain(*given), strict=True) if right is not None else ():
        if decision.value != exact.value:
            return decision
    return min(decisions, key=lambda decision: weakness(decision.margin), default=None)


def _right_networks(unit: Unit) -> Unit | None:
    """The unit with networks that answer as is specified, for a trained NTK unit: the closed form, or counts."""
    if unit.name == "ntk" and isinstance(unit.spec, NtkSpec):
        return load_unit("ntk-limit", unit.word_bits, unit.isa, group=unit.spec.group)
    if unit.name == "ntk-bits":
        from learned_units.proof.majorities import Specified

        return Unit(unit.name, unit.spec, {name: Specified() for name in unit.params}, unit.scope)
    return None
