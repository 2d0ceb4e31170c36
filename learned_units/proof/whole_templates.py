"""That the templates of the whole machine in one network make one instruction, for every memory and pc.

A bit of the next state is 1 exactly if a matched template asserts it: so decides the closed form (docs/closed_form.md).
Here the templates are run on symbols, an iteration at a time, as the passes of the grouped machine are in
`whole_wiring.py`. Derived in docs/whole_machine.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from learned_units.circuits import machine_one, subtract_branch
from learned_units.circuits.machine_one import INSTRUCTION, PHASES, at_least, executable, phases
from learned_units.circuits.passes import Pass, Read
from learned_units.circuits.state_templates import StateTemplates
from learned_units.proof.enumeration import VerificationError, check_schedule, check_specifications
from learned_units.proof.formulas import Formula, all_of, equals, opposite, some_of, symbols

State = dict[str, list[Formula]]  # by field, its bits in order


def check(cells: int, word_bits: int, isa: str) -> None:
    """The templates of a machine of one size. Raises VerificationError naming what they do not write."""
    check_templates(machine_one.templates(cells, word_bits, isa), cells, word_bits, isa)


def check_templates(templates: StateTemplates, cells: int, word_bits: int, isa: str) -> None:
    """The same of any templates with the fields of such a machine."""
    run = _Run(templates, f"the network for {cells} cells of {word_bits} bits, {isa},")
    places, last = executable(cells, word_bits), len(phases(word_bits)) - 1
    memory, pc = symbols("memory", cells * word_bits), symbols("pc", word_bits)
    stays = {"memory": memory, "pc": pc}

    def cell(j: int, i: int) -> Formula:
        return memory[j * word_bits + i] if j < cells else 0

    def phase(number: int) -> list[Formula]:
        return [int(each == number) for each in range(last + 1)]

    def beyond(name: str, bound: int) -> Formula:
        """Whether a word is `bound` or above."""
        return some_of(_fits(symbols(name, word_bits), pattern) for pattern in at_least(bound, word_bits))

    def read(flags: str, count: int, above: int = 0) -> list[Formula]:
        """The cell that stands `above` the flagged one."""
        rows = symbols(flags, count)
        return [some_of(all_of((rows[j], cell(j + above, i))) for j in range(count)) for i in range(word_bits)]

    # Where pc is: at an instruction, whose row is flagged; at none; or it is negative.
    run.start(stays | {"phase": phase(0)})
    run.iterate("decode pc")
    here = [equals(pc, j) for j in range(places)]
    run.require("row", here)
    run.require("F", [some_of(here[j] for j in range(places) if j + INSTRUCTION >> i & 1) for i in range(word_bits)])
    positive = at_least(places, word_bits - 1) if places < 1 << (word_bits - 1) else ()
    run.require("fault", [some_of(_fits(pc, f"{pattern}0") for pattern in positive)])
    run.require("phase", [pc[-1], some_of(here), *[0] * (last - 1)])
    run.require_only(stays, "row", "F", "fault", "phase")

    # A negative pc is a fixpoint, and so is a fault.
    run.start({"memory": memory, "pc": [*pc[:-1], 1], "phase": phase(0)})
    run.iterate("decode pc")
    run.require_only({"memory": memory, "pc": [*pc[:-1], 1], "phase": phase(0)})
    left = {name: symbols(name, word_bits) for name in "FC"} | {"row B": symbols("row B", cells)}
    run.start(stays | left | {"fault": [1]})
    run.iterate("a fault")
    run.require_only(stays | left | {"fault": [1]})

    # At an instruction: its words.
    next_pc = {"F": symbols("F", word_bits)}
    run.start(stays | next_pc | {"row": symbols("row", places), "phase": phase(1)})
    run.iterate("fetch")
    for k, name in enumerate("ABC"):
        run.require(name, read("row", places, k))
    run.require_only(stays | next_pc | {"phase": phase(2)}, *"ABC")

    # The cells that A and B name, or a fault.
    next_pc["C"] = symbols("C", word_bits)
    run.start(stays | next_pc | {name: symbols(name, word_bits) for name in "AB"} | {"phase": phase(2)})
    run.iterate("decode operands")
    for name in "AB":
        run.require(f"row {name}", [equals(symbols(name, word_bits), j) for j in range(cells)])
    run.require("fault", [some_of((beyond("A", cells), beyond("B", cells)))])
    run.require_only(stays | next_pc | {"phase": phase(3)}, "row A", "row B", "fault")

    # With a fault no phase follows, and only what is a fixpoint is left.
    rows = {name: symbols(name, cells) for name in ("row A", "row B")}
    run.start(stays | next_pc | rows | {"fault": [1], "phase": phase(3)})
    run.iterate("read operands")
    run.iterate("a fault")
    run.require_only(stays | left | {"fault": [1]})

    # The words there.
    run.start(stays | next_pc | rows | {"phase": phase(3)})
    run.iterate("read operands")
    run.require("b", read("row A", cells))
    run.require("a", read("row B", cells))
    run.require_only(stays | next_pc | {"row B": rows["row B"], "phase": phase(4)}, "a", "b")

    # Their difference, by the passes of the units: lemmas 5 to 7 of docs/verification.md.
    check_specifications(subtract_branch.template_sets(word_bits))
    check_schedule(word_bits, "sbn", word_bits)
    kept = stays | next_pc | {"row B": rows["row B"]}
    given: State = {name: symbols(name, word_bits) for name in "ab"}
    for number, step in enumerate(subtract_branch.schedule(word_bits, "sbn", word_bits)[:-1], len(PHASES)):
        run.start(kept | given | {"phase": phase(number)})
        run.iterate(step.network)
        written = [field for _, field in step.writes]
        for output, field in step.writes:
            run.require(field, _says(step, output, given, word_bits))
        if number == last - 1 and isa == "subleq":
            run.require("zero", [all_of(opposite(bit) for bit in given["x"])])
            written.append("zero")
        x = {"x": given["x"]} if "x" in given else {}
        run.require_only(kept | x | {"phase": phase(number + 1)}, *written)
        given = x | {field: symbols(field, run.length(field)) for field in written}

    # The difference to cell B, pc to C or F; everything else is as at the start.
    run.start(kept | given | {"phase": phase(last)})
    run.iterate("write back")
    difference, to, otherwise = (symbols(name, word_bits) for name in "dCF")
    branches = [difference[-1], *given.get("zero", ())]
    stay = all_of(map(opposite, branches))
    chosen = rows["row B"]
    after = {
        "memory": [
            some_of((all_of((chosen[j], difference[i])), all_of((opposite(chosen[j]), cell(j, i)))))
            for j in range(cells)
            for i in range(word_bits)
        ],
        "pc": [
            some_of((*(all_of((each, to[i])) for each in branches), all_of((stay, otherwise[i]))))
            for i in range(word_bits)
        ],
    }
    run.require_only(after | {"phase": phase(0)})


class _Run:
    """Iterations of a network on states of formulas."""

    def __init__(self, templates: StateTemplates, where: str) -> None:
        self._where = where
        self._lengths = {name: math.prod(shape) for name, shape in templates.fields}
        self._templates = list(templates.listed())
        self._state: State = {}
        self._doing = ""

    def length(self, field: str) -> int:
        """How many bits a field has."""
        return self._lengths[field]

    def start(self, fields: Mapping[str, Sequence[Formula]]) -> None:
        """A state; what is left out is 0."""
        self._state = {name: [0] * length for name, length in self._lengths.items()}
        self._state |= {name: list(bits) for name, bits in fields.items()}

    def iterate(self, doing: str) -> None:
        """The next state: a bit of it is 1 exactly if a matched template asserts it."""
        self._doing = doing
        now = [bit for name in self._lengths for bit in self._state[name]]
        asserting: list[list[Formula]] = [[] for _ in now]
        for needed, asserted in self._templates:
            if any(now[place] == 1 - value for place, value in needed):
                continue  # as most are, for they are of other phases
            matched = all_of(now[place] if value else opposite(now[place]) for place, value in needed)
            for place in asserted:
                asserting[place].append(matched)
        bits = iter(map(some_of, asserting))
        self._state = {name: [next(bits) for _ in range(length)] for name, length in self._lengths.items()}

    def require(self, field: str, wanted: Sequence[Formula]) -> None:
        """Raise VerificationError unless a field holds these formulas."""
        for i, (one, other) in enumerate(zip(self._state[field], wanted, strict=True)):
            if one != other:
                raise VerificationError(f"{self._where} miswrites bit {i} of '{field}' in '{self._doing}'")

    def require_only(self, fields: Mapping[str, Sequence[Formula]], *others: str) -> None:
        """The same of all fields but `others`; what is left out is 0."""
        for name, length in self._lengths.items():
            if name not in others:
                self.require(name, fields.get(name, [0] * length))


def _fits(word: Sequence[Formula], pattern: str) -> Formula:
    """Whether a word fits a pattern of "0", "1" and "-"."""
    return all_of(
        bit if wanted == "1" else opposite(bit) for bit, wanted in zip(word, pattern, strict=True) if wanted != "-"
    )


def _says(step: Pass, output: str, given: State, word_bits: int) -> list[Formula]:
    """What an output of a pass of the units is at each position, by the templates of its network."""
    template_set = subtract_branch.template_sets(word_bits)[step.network]
    reads = dict(step.reads)

    def bit(line: str, i: int) -> Formula:
        source = reads[line]
        assert isinstance(source, Read)
        at = i - source.shift
        return given[source.field][at] if 0 <= at < word_bits else 0

    return [
        some_of(
            all_of(bit(line, i) if value else opposite(bit(line, i)) for line, value in family.when)
            for family in template_set.families
            if output in family.then
        )
        for i in range(word_bits)
    ]
