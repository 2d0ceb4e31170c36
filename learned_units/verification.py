"""Verification of any unit by operands: its answers against exact integers, shard by shard, resumable.

A plan says which operands: all pairs of words, one pair for every input the first pass of the paper's form can receive,
or a sample, half uniform and half adversarial. What is finished is on disk after each shard, so that a killed
verification loses one shard at most. A claim belongs to weights: the plan holds the hash of their tensors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from learned_units import operands, store
from learned_units.operands import Cases
from learned_units.store import WeightsError
from learned_units.unit import Decision, Unit

ALL = "all pairs of operands"
CLASSES = "all inputs of the first pass"
SAMPLED = "pairs of operands, half uniform, half adversarial"
SHARD = 1 << 18  # pairs of words in a shard of ALL and CLASSES
SAMPLED_SHARD = 1 << 15
BLOCK = 1 << 13  # cases between two reports of progress
MOST_EXHAUSTIVE_BITS = 16


@dataclass(frozen=True)
class Plan:
    """What to verify: a unit with given weights, at one width and instruction set, on which operands."""

    unit: str
    weights: str  # the tensor hash; for a unit without weights what it is made of
    word_bits: int
    isa: str
    operands: str  # ALL, CLASSES or SAMPLED
    cases: int  # pairs the shards are made of; of CLASSES more than are run
    seed: int = 0

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.cases // (SAMPLED_SHARD if self.operands == SAMPLED else SHARD))

    @property
    def path(self) -> Path:
        """The file that says what of the plan is finished."""
        name = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]
        return store.cache_folder() / "verified" / f"{self.unit}-{self.word_bits}-{self.isa}-{name}.json"


@dataclass(frozen=True)
class Coverage:
    """How much of a plan is finished, all of it right: shards, cases run, the smallest margin of their decisions."""

    shards: int = 0
    cases: int = 0
    smallest_margin: float = float("inf")


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


def plan(unit: Unit, cases: int | None = None, seed: int = 0, *, classes: bool = False) -> Plan:
    """All operands where that is asked for (`cases` None), or a sample of `cases` pairs.

    `classes`: of the pairs that the first pass of an NTK unit cannot tell apart, one. Raises ValueError where all are
    too many to run.
    """
    known = str(unit.manifest.get("tensor_hash", unit.detail))
    kind = SAMPLED if cases is not None else CLASSES if classes else ALL
    if cases is None and unit.word_bits > MOST_EXHAUSTIVE_BITS:
        raise ValueError(
            f"all pairs of {unit.word_bits}-bit words are too many; up to {MOST_EXHAUSTIVE_BITS} bits they can be run, "
            "beyond that a number of cases must be given"
        )
    count = 1 << (2 * unit.word_bits) if cases is None else cases
    return Plan(unit.name, known, unit.word_bits, unit.isa, kind, count, seed if cases is not None else 0)


def finished(plan: Plan) -> Coverage:
    """What is on disk for a plan. Raises WeightsError for a file that cannot be read."""
    try:
        found = json.loads(plan.path.read_text())
        if found["plan"] != asdict(plan):
            raise ValueError("another plan")
        return Coverage(found["shards"], found["cases"], float(found["smallest_margin"]))
    except FileNotFoundError:
        return Coverage()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{plan.path}: cannot be used ({error}); delete it to verify from the start") from None


def verify(
    unit: Unit,
    plan: Plan,
    *,
    most_shards: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[Coverage, Counterexample | None]:
    """Go on with a plan, for `most_shards` more shards or to its end; stop at the first wrong case.

    What it finishes is on disk after each shard, whatever ends it. Raises WeightsError if that cannot be written.
    """
    report = progress or (lambda what, part: None)
    waiting = "waiting for another process that verifies the same"
    with store.lock(plan.path, lambda: report(waiting, 0.0)) as touch:
        covered = finished(plan)
        last = plan.shards if most_shards is None else min(plan.shards, covered.shards + most_shards)
        while covered.shards < last:
            cases = _shard(plan, covered.shards)
            margin = covered.smallest_margin
            for start in range(0, len(cases[0]), BLOCK):
                touch()
                part = (covered.shards + start / len(cases[0])) / plan.shards
                report(f"verifying {plan.operands}: {covered.cases + start:,} at {plan.word_bits} bits", part)
                minuend, subtrahend, target, fall_through = (column[start : start + BLOCK] for column in cases)
                found, smallest = _check(unit, (minuend, subtrahend, target, fall_through))
                if found is not None:
                    return covered, found
                margin = min(margin, smallest)
            covered = Coverage(covered.shards + 1, covered.cases + len(cases[0]), margin)
            _write(plan, covered)
    return covered, None


def forget(plan: Plan) -> None:
    """Begin a plan anew."""
    plan.path.unlink(missing_ok=True)


def _write(plan: Plan, covered: Coverage) -> None:
    data = json.dumps({"plan": asdict(plan), **asdict(covered)}, sort_keys=True).encode()
    try:
        plan.path.parent.mkdir(parents=True, exist_ok=True)
        store.write_whole(plan.path, data)
    except OSError as error:
        raise WeightsError(f"{plan.path} cannot be written ({error})") from None


def _shard(plan: Plan, number: int) -> Cases:
    rng = np.random.default_rng([plan.seed, number])
    bits = plan.word_bits
    if plan.operands == SAMPLED:
        count = min(SAMPLED_SHARD, plan.cases - number * SAMPLED_SHARD)
        halves = (operands.uniform(rng, count - count // 2, bits), operands.adversarial(rng, count // 2, bits))
        minuend, subtrahend, target, fall_through = (np.concatenate(column) for column in zip(*halves, strict=True))
        return minuend, subtrahend, target, fall_through
    index = np.arange(number * SHARD, min((number + 1) * SHARD, plan.cases), dtype=np.uint64)
    minuend, subtrahend = index >> np.uint64(bits), index & np.uint64((1 << bits) - 1)
    if plan.operands == CLASSES:
        kept = stands_for_its_class(minuend, subtrahend, bits)
        minuend, subtrahend = minuend[kept], subtrahend[kept]
    return minuend, subtrahend, operands.words(rng, len(minuend), bits), operands.words(rng, len(minuend), bits)


def stands_for_its_class(minuend: np.ndarray, subtrahend: np.ndarray, word_bits: int) -> np.ndarray:
    """Of the pairs, uint64, that match the same templates of the first pass, one: bool of their shape.

    Every bit of a pair can be told from what it matches but one: equal bits above a 1 - 0 match nothing themselves, and
    only an equal pair of bits above them says which they are. Where there is none, 0 - 0 stands for both.
    """
    top = np.uint64(1 << (word_bits - 1))
    one = np.uint64(1)
    hidden = ((minuend & ~subtrahend) << one) & (((minuend ^ subtrahend) >> one) | top)
    return (minuend & subtrahend & hidden) == 0


def _check(unit: Unit, cases: Cases) -> tuple[Counterexample | None, float]:
    """The first wrong case, if any, and the smallest margin."""
    found = unit.subtract_branch(*cases)
    difference, next_pc = (np.asarray(column).astype(np.uint64) for column in (found.difference, found.next_pc))
    exact_difference, exact_next_pc = exact(cases, unit.word_bits, unit.isa)
    wrong = (difference != exact_difference) | (next_pc != exact_next_pc) | ~(found.margin > 0)  # a NaN is wrong
    if not wrong.any():
        return None, float(found.margin.min(initial=np.inf))
    k = int(wrong.argmax())
    given = [int(column[k]) for column in cases]
    example = Counterexample(
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
    return example, 0.0


def exact(cases: Cases, word_bits: int, isa: str) -> tuple[np.ndarray, np.ndarray]:
    """Difference and next pc by integer arithmetic, uint64."""
    minuend, subtrahend, target, fall_through = cases
    difference = (minuend - subtrahend) & np.uint64((1 << word_bits) - 1)
    taken = (difference >> np.uint64(word_bits - 1)) == 1
    if isa == "subleq":
        taken |= difference == 0
    return difference, np.where(taken, target, fall_through)


def _blamed(unit: Unit, given: list[int]) -> Decision | None:
    """The first decision that differs from the closed form's, for an NTK unit; for others the weakest."""
    decisions = unit.explain(*given)
    if unit.name == "ntk":
        from learned_units.catalog import load_unit

        limit = load_unit("ntk-limit", unit.word_bits, unit.isa, group=unit.manifest["group"])
        for decision, right in zip(decisions, limit.explain(*given), strict=True):
            if decision.value != right.value:
                return decision
    return min(decisions, key=lambda decision: decision.margin, default=None)


def as_manifest(plan: Plan, covered: Coverage) -> dict[str, Any]:
    """The claim, as plain values for a manifest."""
    margin = covered.smallest_margin if np.isfinite(covered.smallest_margin) else None
    return {
        "operands": plan.operands,
        "word_bits": plan.word_bits,
        "isa": plan.isa,
        "seed": plan.seed,
        "cases": covered.cases,
        "shards": [covered.shards, plan.shards],
        "smallest_margin": margin,
    }
