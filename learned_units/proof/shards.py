"""A verification cut into shards: resumable, shared by processes, recorded for what was evaluated and how.

A plan says what its shards are and runs one of them. Several processes (`processes.py`) take turns: in each turn every
process runs one shard that nobody has finished, then tells the others what came of it, and adds what was finished to a
file of its own. It lists shards, a line with a checksum for each; a line that was damaged costs its shard, which is run
again. All files of a plan that are in the cache folder are read at the
start, and told to the others. So a killed verification loses one shard a process at most, with a folder that the hosts
share or with one on each, and goes on with any number of processes.
"""

from __future__ import annotations

import abc
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from learned_units import processes, store
from learned_units.networks import predictor
from learned_units.unit import Unit
from learned_units.whole_file import write_whole


class Ran(NamedTuple):
    """What came of one shard: cases run, their smallest margin, and the case where it stopped, if one is wrong."""

    cases: int
    smallest_margin: float
    example: Any  # a dataclass of plain values, as `Plan.as_example` reads it back


@dataclass(frozen=True)
class Plan(abc.ABC):
    """What to verify: a unit with given weights, at one width."""

    unit: str
    weights: str  # the tensor hash; for a unit without weights what it is made of
    word_bits: int
    isa: str
    operands: str  # what the cases are, in words
    evaluated: str  # a fingerprint of what evaluates them (`evaluated`)

    @property
    @abc.abstractmethod
    def shards(self) -> int:
        """Number of shards."""

    @abc.abstractmethod
    def cases_in(self, number: int) -> int:
        """Cases of a shard."""

    @abc.abstractmethod
    def run(self, unit: Unit, number: int, alive: Callable[[int, int], None]) -> Ran:
        """Run one shard, up to the first wrong case. alive(cases done, cases of the shard) is called again and again.

        What `alive` raises ends it.
        """

    @abc.abstractmethod
    def as_example(self, fields: Mapping[str, Any]) -> Any:
        """A wrong case as another process told it."""

    def as_manifest(self, covered: Coverage) -> dict[str, Any]:
        """The claim, as plain values for a manifest."""
        margin = covered.smallest_margin if np.isfinite(covered.smallest_margin) else None
        return {
            "operands": self.operands,
            "word_bits": self.word_bits,
            "isa": self.isa,
            "cases": covered.cases,
            "shards": [covered.shards, self.shards],
            "smallest_margin": margin,
        }

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


def evaluated(unit: Unit) -> str:
    """A fingerprint of all that a unit's answers depend on: what was finished counts for this, and for nothing else.

    The numbers it computes with, its spec, the design of its weights, which has the version of the code that predicts,
    and the libraries and the platform, whose sums of floats may differ.
    """
    design = unit.manifest.design if unit.manifest is not None else f"predictor {predictor.VERSION}"
    leaves = {str(number): np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(unit.params))}
    told = (store.tensor_hash(leaves), unit.spec, design, sorted(store.origin().items()))
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Coverage:
    """How much of a plan is finished, all of it right: shards, cases run, the smallest margin of their decisions."""

    shards: int = 0
    cases: int = 0
    smallest_margin: float = float("inf")


Finished = dict[int, tuple[int, float]]  # by number of the shard: cases run, the smallest margin of their decisions


def finished(plan: Plan) -> Coverage:
    """What is on disk for a plan, and is not damaged."""
    return coverage(listed(plan))


def listed(plan: Plan) -> Finished:
    """The same, shard by shard."""
    return _read(plan)[0]


def verify(
    unit: Unit,
    plan: Plan,
    *,
    most_shards: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[Coverage, Any]:
    """Go on with a plan, for `most_shards` more shards or to its end; stop at the first wrong case, which is returned.

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
        for theirs in processes.gather(_rows(mine)):
            known |= _from_rows(theirs)
        _write(plan, known)
        left = [number for number in range(plan.shards) if number not in known][:most_shards]
        pace = _Pace(plan, len(left), coverage(known))

        def alive(cases: int, of: int) -> None:
            report(*pace.told(cases, of))

        for turn in range(0, len(left), processes.count()):
            now = left[turn : turn + processes.count()]
            done: Finished = {}
            example = None
            for number in (now[k] for k in processes.mine(len(now))):  # one, or none in the last turn
                cases, margin, example = plan.run(unit, number, alive)
                done = {} if example else {number: (cases, margin)}
            told = processes.gather((_rows(done), example and asdict(example)))
            finished_now = _from_rows([row for theirs, _ in told for row in theirs])
            _add(plan, finished_now)
            known |= finished_now
            pace.covered = coverage(known)
            wrong = [fields for _, fields in told if fields is not None]
            if wrong:
                return pace.covered, plan.as_example(wrong[0])
    return pace.covered, None


def forget(plan: Plan) -> None:
    """Start a plan over."""
    for path in plan.folder.glob("*.txt"):
        path.unlink(missing_ok=True)


def coverage(known: Finished) -> Coverage:
    """Some finished shards taken together."""
    smallest = float(np.min([margin for _, margin in known.values()], initial=np.inf))  # a NaN stays
    return Coverage(len(known), sum(cases for cases, _ in known.values()), smallest)


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


def _rows(known: Finished) -> list[list[float]]:
    return [[number, cases, margin] for number, (cases, margin) in sorted(known.items())]


def _from_rows(rows: list[list[Any]]) -> Finished:
    return {int(number): (int(cases), float(margin)) for number, cases, margin in rows}


def _read(plan: Plan) -> tuple[Finished, list[str]]:
    """What the files of all processes say, and in words what of them is damaged and does not count."""
    known: Finished = {}
    damaged = []
    for path in sorted(plan.folder.glob("*.txt")):
        try:
            lines = path.read_bytes().decode("ascii", "replace").splitlines()
        except OSError as error:
            damaged.append(
                f"record damaged: {path} cannot be read ({error.strerror or error}); what it lists is verified again"
            )
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
    if row[1] != plan.cases_in(row[0]):
        return None
    return row[0], row[1:]


def _lines(plan: Plan, known: Finished) -> bytes:
    return "".join(f"{_line(plan, number, *row)}\n" for number, row in sorted(known.items())).encode()


def _write(plan: Plan, known: Finished) -> None:
    """The file of this process, whole: what was damaged is left out."""
    try:
        plan.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(plan.path, _lines(plan, known))
    except OSError as error:
        raise store.unwritable(plan.path, error) from None


def _add(plan: Plan, known: Finished) -> None:
    """Some more lines of it: a long list is not written again for each."""
    try:
        with plan.path.open("ab") as file:
            file.write(_lines(plan, known))
    except OSError as error:
        raise store.unwritable(plan.path, error) from None
