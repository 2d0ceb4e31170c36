"""Verification of any unit by operands: its answers against exact integers, shard by shard, resumable.

A plan says which operands: all pairs of words, one pair for every input the first pass of the paper's form can receive,
or a sample, half uniform and half adversarial. A claim belongs to weights: the plan holds the hash of their tensors.

Several processes (`processes.py`) take turns: in each turn every process runs one shard that nobody has finished, then
tells the others what came of it, and writes down all that it knows to be finished. Each has a file of its own, which
lists shards by number, a line with a checksum for each; a line that was damaged costs its shard, which is run again.
All files of a plan that are in the cache folder are read at the start, and told to the others. So a killed verification
loses one shard a process at most, with a folder that the hosts share or with one on each, and goes on with any number
of processes.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from learned_units import processes, store
from learned_units.catalog import load_unit
from learned_units.proof import operands
from learned_units.proof.operands import Cases
from learned_units.store import WeightsError
from learned_units.unit import Decision, Results, Unit, weakness
from learned_units.units.ntk import NtkSpec
from learned_units.whole_file import write_whole

ALL = "all pairs of operands"
CLASSES = "all inputs of the first pass"
SAMPLED = "pairs of operands, half uniform, half adversarial"
SHARD = 1 << 18  # pairs of words in a shard of ALL and CLASSES
SAMPLED_SHARD = 1 << 15
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
    def shard(self) -> int:
        """Pairs in a shard; the last one may have fewer."""
        return SAMPLED_SHARD if self.operands == SAMPLED else SHARD

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.cases // self.shard)

    def cases_in(self, number: int) -> int:
        """Pairs that a shard is made of, of CLASSES more than are run."""
        return min(self.shard, self.cases - number * self.shard)

    @property
    def key(self) -> str:
        """All that the plan says, in a few letters."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """Where it is written what of the plan is finished."""
        return store.cache_folder() / "verified" / f"{self.unit}-{self.word_bits}-{self.isa}-{self.key}"

    @property
    def path(self) -> Path:
        """The file in which this process writes what is finished."""
        return self.folder / f"{processes.index()}.txt"


@dataclass(frozen=True)
class Coverage:
    """How much of a plan is finished, all of it right: shards, cases run, the smallest margin of their decisions."""

    shards: int = 0
    cases: int = 0
    smallest_margin: float = float("inf")


Finished = dict[int, tuple[int, float]]  # by number of the shard: cases run, the smallest margin of their decisions


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
    known = unit.tensor_hash or unit.detail
    kind = SAMPLED if cases is not None else CLASSES if classes else ALL
    if cases is None and unit.word_bits > MOST_EXHAUSTIVE_BITS:
        raise ValueError(
            f"all pairs of {unit.word_bits}-bit words are too many; up to {MOST_EXHAUSTIVE_BITS} bits they can be run, "
            "beyond that a number of cases must be given"
        )
    count = 1 << (2 * unit.word_bits) if cases is None else cases
    return Plan(unit.name, known, unit.word_bits, unit.isa, kind, count, seed if cases is not None else 0)


def finished(plan: Plan) -> Coverage:
    """What is on disk for a plan, and is not damaged."""
    return _coverage(_read(plan)[0])


def verify(
    unit: Unit,
    plan: Plan,
    *,
    most_shards: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[Coverage, Counterexample | None]:
    """Go on with a plan, for `most_shards` more shards or to its end; stop at the first wrong case.

    What it finishes is on disk after each shard, whatever ends it. Of several processes all must call it, with one
    plan, and all return the same. Raises WeightsError if it cannot be written, or another process has another plan,
    ProcessLost where another one has ended.
    """
    report = progress or (lambda what, part: None)
    processes.agree(asdict(plan))
    with store.lock(plan.path, lambda: report("waiting for another process that is verifying the same", 0.0)):
        mine, damaged = _read(plan)
        for what in damaged:
            report(what, 0.0)
        known: Finished = {}
        for theirs in processes.gather(_listed(mine)):
            known |= _unlisted(theirs)
        left = [number for number in range(plan.shards) if number not in known][:most_shards]
        pace = _Pace(plan, len(left), _coverage(known))

        def alive(cases: int, of: int) -> None:
            report(*pace.told(cases, of))

        for turn in range(0, len(left), processes.count()):
            now = left[turn : turn + processes.count()]
            done: Finished = {}
            example = None
            for number in (now[k] for k in processes.mine(len(now))):  # one, or none in the last turn
                cases, margin, example = _run_shard(unit, plan, number, alive)
                done = {} if example else {number: (cases, margin)}
            told = processes.gather((_listed(done), example and asdict(example)))
            for theirs, _ in told:
                known |= _unlisted(theirs)
            _write(plan, known)
            pace.covered = _coverage(known)
            wrong = [fields for _, fields in told if fields is not None]
            if wrong:
                return pace.covered, _as_example(wrong[0])
    return pace.covered, None


def forget(plan: Plan) -> None:
    """Start a plan over."""
    for path in plan.folder.glob("*.txt"):
        path.unlink(missing_ok=True)


class _Pace:
    """How far a plan is, how fast it goes, and how long the rest of the shards to be run will take.

    `covered` is what all processes have finished; of the others' shards of this turn as much is taken for done as of
    one's own.
    """

    def __init__(self, plan: Plan, shards: int, covered: Coverage) -> None:
        self.covered = covered
        self._plan = plan
        self._shards = shards
        self._before = covered
        self._began = time.monotonic()

    def told(self, cases: int, of: int) -> tuple[str, float]:
        """In words, and as a part of the plan, where `cases` of the shard's `of` are run."""
        seconds = max(time.monotonic() - self._began, 1e-6)
        shards = self.covered.shards - self._before.shards + processes.count() * cases / max(of, 1)
        rate = (self.covered.cases - self._before.cases + processes.count() * cases) / seconds
        said = f"verifying {self._plan.operands}: {self.covered.shards:,} of {self._plan.shards:,} shards"
        if shards > 0:
            said += f", {rate:,.0f} cases/s, {_duration(max(self._shards - shards, 0) * seconds / shards)} left"
        return said, min(1.0, (self._before.shards + shards) / self._plan.shards)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:,.0f} h"


def _coverage(known: Finished) -> Coverage:
    smallest = float(np.min([margin for _, margin in known.values()], initial=np.inf))  # a NaN stays
    return Coverage(len(known), sum(cases for cases, _ in known.values()), smallest)


def _listed(known: Finished) -> list[list[float]]:
    return [[number, cases, margin] for number, (cases, margin) in sorted(known.items())]


def _unlisted(rows: list[list[Any]]) -> Finished:
    return {int(number): (int(cases), float(margin)) for number, cases, margin in rows}


def _read(plan: Plan) -> tuple[Finished, list[str]]:
    """What the files of all processes say, and in words what of them is damaged and does not count."""
    known: Finished = {}
    damaged = []
    for path in sorted(plan.folder.glob("*.txt")):
        try:
            lines = path.read_bytes().decode("ascii", "replace").splitlines()
        except OSError as error:
            damaged.append(f"record damaged: {path} cannot be read ({error}); what it lists is verified again")
            continue
        found = [_from_line(plan, line) for line in lines]
        known |= dict(row for row in found if row is not None)
        if None in found:
            lost = f"{found.count(None):,} of {len(lines):,} lines are damaged"
            damaged.append(f"record damaged: {path}: {lost}; their shards are verified again")
    return known, damaged


def _line(plan: Plan, number: int, cases: int, margin: float) -> str:
    """A finished shard as it is written: its numbers, and a checksum over them and the plan."""
    stated = f"{number} {cases} {margin!r}"
    return f"{stated} {hashlib.sha256(f'{plan.key} {stated}'.encode()).hexdigest()[:16]}"


def _from_line(plan: Plan, line: str) -> tuple[int, tuple[int, float]] | None:
    """A finished shard as it was written; None unless it can be one of the plan's."""
    try:
        number, cases, margin, _ = line.split(" ")
        row = int(number), int(cases), float(margin)
    except ValueError:
        return None
    if line != _line(plan, *row) or not 0 <= row[0] < plan.shards or not row[2] > 0:  # a NaN is damage
        return None
    all_of_it = plan.cases_in(row[0])
    if not 0 < row[1] <= all_of_it or (row[1] != all_of_it and plan.operands != CLASSES):
        return None
    return row[0], row[1:]


def _write(plan: Plan, known: Finished) -> None:
    lines = [_line(plan, number, cases, margin) for number, (cases, margin) in sorted(known.items())]
    data = "".join(f"{line}\n" for line in lines).encode()
    try:
        plan.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(plan.path, data)
    except OSError as error:
        raise WeightsError(f"{plan.path} cannot be written ({error})") from None


def _run_shard(
    unit: Unit, plan: Plan, number: int, alive: Callable[[int, int], None]
) -> tuple[int, float, Counterexample | None]:
    """Run one shard: its cases, the smallest margin, and the first wrong case, where it stops, if there is one.

    alive(cases done, cases of the shard) is called again and again.
    """
    cases = _shard(plan, number)
    done, margin, of = 0, float("inf"), len(cases[0])
    alive(done, of)
    for found in unit.in_blocks(np.stack(cases)):
        minuend, subtrahend, target, fall_through = (column[done : done + len(found.margin)] for column in cases)
        example = _first_wrong(unit, (minuend, subtrahend, target, fall_through), found)
        if example is not None:
            return done, margin, example
        done += len(found.margin)
        margin = float(np.minimum(margin, found.margin.min()))  # a NaN stays
        alive(done, of)
    return done, margin, None


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


def _as_example(fields: Mapping[str, Any]) -> Counterexample:
    """A counterexample as another process told it."""
    decision = None if fields["decision"] is None else Decision(**fields["decision"])
    return Counterexample(**{**fields, "decision": decision})


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
