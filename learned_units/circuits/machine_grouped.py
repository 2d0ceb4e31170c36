"""The whole machine in groups: seven small networks, and the passes that make one instruction of them.

`decode` turns four address bits into sixteen flags, two nibbles at a time; `read` picks, out of eight cells of which
at most one is flagged, eight bits of that one; the others are those of `subtract_branch.py`, which subtract,
add 3 to pc (as subtracting -3), and, since `select` chooses between two bits and `any` is an or, do everything else:
a flag for each row, partial reads together, the fault bit, the write-back and the next pc. Every pass moves bits to
the lines of one network and writes its thresholded outputs; no bit is computed otherwise. Derived in
docs/whole_machine.md.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence

from learned_units.circuits import subtract_branch
from learned_units.circuits.machine_one import INSTRUCTION, executable
from learned_units.circuits.passes import Pass, Pick, Read, Source, Spread
from learned_units.circuits.templates import Family, TemplateSet

GROUP = 8  # positions, and cells, that a network serves
NIBBLE = 4
NIBBLES = 2  # of an address that choose a row: so there are at most 256

Place = tuple[str, int] | None  # a bit of a field, or 0
CONSTANTS = {"one": 1, "minus three": -INSTRUCTION}  # fields that are given, besides memory, pc and fault


@functools.cache
def template_sets() -> dict[str, TemplateSet]:
    """The seven template sets, by name."""
    values = range(1 << NIBBLE)
    decode = TemplateSet(
        name="decode",
        families=tuple(
            Family(tuple((f"bit{k}", value >> k & 1) for k in range(NIBBLE)), (f"is{value}",)) for value in values
        ),
        outputs=tuple(f"is{value}" for value in values),
        group=NIBBLES,
    )
    rows = [f"row{k}" for k in range(GROUP)]
    read = TemplateSet(
        name="read",
        families=tuple(Family(((row, 1), (f"cell{k}", 1)), ("bit",)) for k, row in enumerate(rows)),
        outputs=("bit",),
        group=GROUP,
        never=tuple(itertools.combinations(rows, 2)),
        shared=tuple(rows),
    )
    return {"decode": decode, "read": read, **subtract_branch.template_sets(GROUP)}


@functools.cache
def schedule(cells: int, word_bits: int, isa: str) -> tuple[tuple[str, Pass], ...]:
    """The passes of one instruction, each with what it is for: fields memory, pc and fault, and constants, in and out.

    memory is the cells one after the other, least significant bit first.
    """
    built = _Schedule(cells, word_bits)
    return (*built.fetch(), *built.read_operands(), *built.subtract(isa), *built.write_back())


class _Schedule:
    """The parts of an instruction, for one size of machine."""

    def __init__(self, cells: int, word_bits: int) -> None:
        self.cells, self.word_bits = cells, word_bits
        self.places = executable(cells, word_bits)

    def fetch(self) -> list[tuple[str, Pass]]:
        """Where the instruction stands, pc + 3, and its three words; whether there is one."""
        sign = ("pc", self.word_bits - 1)
        found = self._decode("decode pc", "pc", "row", self.places)
        found += [
            ("decode pc", _choose("no instruction", [(("row ok", 0), None, ("one", 0))])),
            # A negative pc has halted the machine: that is no fault.
            ("decode pc", _choose("pc fault", [(sign, None, ("no instruction", 0))])),
        ]
        rows = [[self._row("row", j - k, self.places) for j in range(self.cells)] for k in range(INSTRUCTION)]
        found += self._read("fetch", rows, ["A", "B", "C"])
        names = {"a": "pc", "b": "minus three", "d": "F"} | {name: f"pc {name}" for name in "xGP"}
        steps = subtract_branch.schedule(self.word_bits, "sbn", GROUP)[:-1]
        return found + [("pc + 3", renamed(step, names)) for step in steps]

    def read_operands(self) -> list[tuple[str, Pass]]:
        """The cells the operands name and the words in them; whether the instruction can be executed."""
        found = []
        for name in "AB":
            found += self._decode("decode operands", name, f"row {name}", self.cells)
            # Without an instruction its operands are no addresses either, and no fault.
            found.append(("decode operands", _choose(f"{name} fault", [((f"row {name} ok", 0), None, ("row ok", 0))])))
        rows = [[(f"row {name}", j) for j in range(self.cells)] for name in "AB"]
        found += self._read("read operands", rows, ["b", "a"])
        faults: list[Place] = [(name, 0) for name in ("fault", "pc fault", "A fault", "B fault")]
        found += _either("fault", [faults], ["next fault"])
        found.append(("fault", _choose("go", [(("next fault", 0), None, ("row ok", 0))])))
        return found

    def subtract(self, isa: str) -> list[tuple[str, Pass]]:
        """The difference and the pc after the instruction, by the passes of the units."""
        steps = subtract_branch.schedule(self.word_bits, isa, GROUP)
        return [("subtract", renamed(step, {"pc": "target"})) for step in steps]

    def write_back(self) -> list[tuple[str, Pass]]:
        """Memory, pc and fault bit after the instruction; as they were if it cannot be executed."""
        bits = range(self.word_bits)
        gated = [(("go", 0), ("row B", j), None) for j in range(self.cells)]
        written = [
            (("written", j), ("d", i), ("memory", j * self.word_bits + i)) for j in range(self.cells) for i in bits
        ]
        return [
            ("write back", _choose("written", gated)),
            ("write back", _choose("memory", written)),
            ("next pc", _choose("pc", [(("go", 0), ("target", i), ("pc", i)) for i in bits])),
            ("next pc", _choose("fault", [(("one", 0), ("next fault", 0), None)])),
        ]

    def _decode(self, purpose: str, word: str, field: str, rows: int) -> list[tuple[str, Pass]]:
        """One flag for each row an address can name, and whether it names one."""
        nibbles = [[self._bit(word, NIBBLE * p + k) for p in range(NIBBLES)] for k in range(NIBBLE)]
        flags = [f"{field} nibble {value}" for value in range(1 << NIBBLE)]
        found = [
            (
                purpose,
                Pass(
                    "decode",
                    NIBBLES,
                    tuple((f"bit{k}", Pick(tuple(bits))) for k, bits in enumerate(nibbles)),
                    tuple((f"is{value}", name) for value, name in enumerate(flags)),
                ),
            ),
            (
                purpose,
                _choose(
                    field, [((flags[row >> NIBBLE], 1), (flags[row % (1 << NIBBLE)], 0), None) for row in range(rows)]
                ),
            ),
        ]
        found += _either(purpose, [[(field, row) for row in range(rows)]], [f"{field} some"])
        above: list[Place] = [(word, i) for i in range(NIBBLE * NIBBLES, self.word_bits)]
        found += _either(purpose, [above], [f"{field} beyond"])
        # A word with a bit above the nibbles is the address of no row, whatever they say.
        valid = [((f"{field} beyond", 0), None, (f"{field} some", 0))]
        return [*found, (purpose, _choose(f"{field} ok", valid))]

    def _read(self, purpose: str, rows: Sequence[Sequence[Place]], words: list[str]) -> list[tuple[str, Pass]]:
        """The words in flagged cells: for each word the flags of all cells, of which at most one is set."""
        blocks = -(-self.cells // GROUP)
        width = -(-self.word_bits // GROUP) * GROUP  # so that a group of positions lies in one block
        reads: list[tuple[str, Source]] = []
        for k in range(GROUP):
            flags = [_at(each, GROUP * block + k) for each in rows for block in range(blocks) for _ in range(width)]
            cells = [self._memory(GROUP * block + k, i) for _ in rows for block in range(blocks) for i in range(width)]
            reads += [(f"row{k}", Pick(tuple(flags))), (f"cell{k}", Pick(tuple(cells)))]
        partial = f"{purpose} partial"
        step = Pass("read", len(rows) * blocks * width, tuple(reads), (("bit", partial),))
        gathered: list[Sequence[Place]] = []
        for number, _ in enumerate(words):
            first = number * blocks
            gathered += [
                [(partial, (first + block) * width + i) for block in range(blocks)] for i in range(self.word_bits)
            ]
        return [(purpose, step), *_either(purpose, gathered, words, self.word_bits)]

    def _bit(self, word: str, i: int) -> Place:
        return (word, i) if i < self.word_bits else None

    def _row(self, field: str, j: int, rows: int) -> Place:
        return (field, j) if 0 <= j < rows else None

    def _memory(self, cell: int, i: int) -> Place:
        return ("memory", cell * self.word_bits + i) if cell < self.cells and i < self.word_bits else None


def _at(places: Sequence[Place], index: int) -> Place:
    return places[index] if index < len(places) else None


def _choose(field: str, cases: Sequence[tuple[Place, Place, Place]]) -> Pass:
    """`select` at each position: (flag, what if it is 1, what if it is 0)."""
    flag, yes, no = (Pick(tuple(column)) for column in zip(*cases, strict=True))
    return Pass("select", len(cases), (("flag", flag), ("yes", yes), ("no", no)), (("chosen", field),))


def _either(
    purpose: str, cases: Sequence[Sequence[Place]], fields: Sequence[str], length: int = 1
) -> list[tuple[str, Pass]]:
    """Whether some place of each case is 1, by a tree of `any`; the results go to fields of `length` bits."""
    found: list[tuple[str, Pass]] = []
    level = 0
    while True:
        groups = [-(-max(len(case), 1) // GROUP) for case in cases]
        padded: list[list[Place]] = [
            [*case, *[None] * (count * GROUP - len(case))] for case, count in zip(cases, groups, strict=True)
        ]
        if max(groups) == 1:
            break
        places = tuple(place for case in padded for place in case)
        level += 1
        partial = f"{fields[0]} any {level}"
        found.append((purpose, Pass("any", len(places), (("bit", Pick(places)),), (("some", partial),))))
        ends = [0, *itertools.accumulate(groups)]
        cases = [[(partial, at) for at in range(ends[k], ends[k + 1])] for k in range(len(cases))]
    for k, field in enumerate(fields):
        places = tuple(place for case in padded[k * length : (k + 1) * length] for place in case)
        found.append((purpose, Pass("any", len(places), (("bit", Pick(places)),), (("some", field),))))
    return found


def renamed(step: Pass, names: Mapping[str, str]) -> Pass:
    """A pass on fields of other names."""

    def under_names(source: Source) -> Source:
        if isinstance(source, Pick):
            return Pick(
                tuple(None if place is None else (names.get(place[0], place[0]), place[1]) for place in source.bits)
            )
        if isinstance(source, Spread):
            return Spread(names.get(source.field, source.field), source.index)
        return Read(names.get(source.field, source.field), source.shift)

    reads = tuple((line, under_names(source)) for line, source in step.reads)
    return Pass(step.network, step.positions, reads, tuple((out, names.get(to, to)) for out, to in step.writes))
