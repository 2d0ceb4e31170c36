"""That the passes of the grouped whole machine make one instruction, for every memory, pc and fault bit.

Each network says what its templates specify (lemmas 3 and 5 of docs/verification.md). Here that is put together: the
passes are run on symbols, each of which stands for a bit that may be 0 or 1, and what they write must be the formula
that is required, as written below. What a part has been shown to write is then a symbol for the next part. Derived in
docs/whole_machine.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

from learned_units import bits
from learned_units.catalog import ISAS
from learned_units.circuits.machine_grouped import CONSTANTS, GROUP, NIBBLE, NIBBLES, renamed, schedule, template_sets
from learned_units.circuits.machine_one import executable
from learned_units.circuits.passes import Pass, Pick, Source, Spread
from learned_units.circuits.subtract_branch import schedule as unit_schedule
from learned_units.proof.enumeration import VerificationError, check_steps
from learned_units.proof.formulas import Bit, Formula, all_of, choice, equals, opposite, some_of, symbols

SMALLEST = 3  # cells
LARGER = ((32, 8), (255, 8), (64, 16), (256, 16))  # cells, bits of a word

# --- what is required -------------------------------------------------------------------------------------------------


def check(cells: int, word_bits: int, isa: str) -> None:
    """The wiring of the grouped whole machine of one size. Raises VerificationError naming what it does not write."""
    check_passes(schedule(cells, word_bits, isa), cells, word_bits, isa)


def check_some(progress: Callable[[float], None] = lambda part: None) -> int:
    """The same of the smallest machine of every width and of some larger ones, for both instruction sets.

    Returns how many sizes that are. progress(part) is called after each. Raises VerificationError.
    """
    widths = range(bits.MIN_WORD_BITS, bits.MAX_WORD_BITS + 1)
    sizes = list(itertools.product([*((SMALLEST, word_bits) for word_bits in widths), *LARGER], ISAS))
    for number, ((cells, word_bits), isa) in enumerate(sizes, 1):
        check(cells, word_bits, isa)
        progress(number / len(sizes))
    return len(sizes)


def check_passes(steps: Sequence[tuple[str, Pass]], cells: int, word_bits: int, isa: str) -> None:
    """The same of any passes."""
    run = _Run(steps, f"the whole machine of {cells} cells of {word_bits} bits, {isa},", word_bits)
    places = executable(cells, word_bits)
    memory = symbols("memory", cells * word_bits)
    pc = symbols("pc", word_bits)
    fault = symbols("fault", 1)
    minus_three: list[Formula] = [CONSTANTS["minus three"] >> i & 1 for i in range(word_bits)]
    run.fields = {"memory": memory, "pc": pc, "fault": fault, "one": [1], "minus three": minus_three}

    def cell(j: int, i: int) -> Formula:
        return memory[j * word_bits + i] if 0 <= j < cells else 0

    def names(word: Sequence[Formula], j: int) -> Formula:
        """Whether a word names a row, by its bits below `beyond`."""
        return equals(word[: NIBBLE * NIBBLES], j) if j >> len(word) == 0 else 0

    def address(word: Sequence[Formula], rows: int) -> Formula:
        """Whether a word is the address of one of the first rows."""
        below = some_of(names(word, j) for j in range(rows))
        return all_of((below, opposite(some_of(word[NIBBLE * NIBBLES :]))))

    # pc names a row, or there is no instruction; that is a fault unless pc is negative.
    run.passes("decode pc")
    run.require("row", [names(pc, j) for j in range(places)])
    run.require("row ok", [address(pc, places)])
    run.require("pc fault", [all_of((opposite(pc[-1]), opposite(address(pc, places))))])
    run.forget("row", "row ok", "pc fault")
    row, is_row = symbols("row", places), Bit("row ok", 0)

    # The three words from there on.
    run.given_one_at_most("row")
    run.passes("fetch")
    for k, name in enumerate("ABC"):
        run.require(
            name,
            [some_of(all_of((row[j], cell(j + k, i))) for j in range(places)) for i in range(word_bits)],
        )
        run.forget(name)

    # pc + 3, as the subtraction of -3 by the passes of the units.
    units_names = {"pc": "a", "minus three": "b", "F": "d"} | {f"pc {name}": name for name in "xGP"}
    run.subtracts("pc + 3", units_names, "sbn", {"pc": pc, "minus three": minus_three})
    run.forget("F")

    # The words in the cells that A and B name.
    run.passes("decode operands")
    for name in "AB":
        word = symbols(name, word_bits)
        run.require(f"row {name}", [names(word, j) for j in range(cells)])
        run.require(f"{name} fault", [all_of((is_row, opposite(address(word, cells))))])
        run.forget(f"row {name}", f"{name} fault")
        run.given_one_at_most(f"row {name}")
    run.passes("read operands")
    for name, to in (("A", "b"), ("B", "a")):
        flags = symbols(f"row {name}", cells)
        run.require(to, [some_of(all_of((flags[j], cell(j, i))) for j in range(cells)) for i in range(word_bits)])
        run.forget(to)

    # A fault stays, and an instruction is executed where there is one and no fault.
    run.passes("fault")
    fails = some_of([fault[0], *(Bit(f"{name} fault", 0) for name in ("pc", "A", "B"))])
    run.require("next fault", [fails])
    run.require("go", [all_of((is_row, opposite(fails)))])
    run.forget("next fault", "go")

    # a - b, and C or F, by the passes of the units.
    run.subtracts("subtract", {"target": "pc"}, isa, {name: symbols(name, word_bits) for name in "abCF"})
    run.forget("d", "target")

    # The cell that B names becomes the difference, pc the target; nothing else changes, and nothing without `go`.
    run.passes("write back")
    run.passes("next pc")
    go = Bit("go", 0)
    written = [all_of((go, flag)) for flag in symbols("row B", cells)]
    difference, target = symbols("d", word_bits), symbols("target", word_bits)
    run.require(
        "memory", [choice(written[j], difference[i], cell(j, i)) for j in range(cells) for i in range(word_bits)]
    )
    run.require("pc", [choice(go, target[i], pc[i]) for i in range(word_bits)])
    run.require("fault", [Bit("next fault", 0)])
    run.end()


# --- passes on formulas -----------------------------------------------------------------------------------------------


class _Run:
    """Passes that are run one after the other, on fields of formulas."""

    def __init__(self, steps: Sequence[tuple[str, Pass]], where: str, word_bits: int) -> None:
        self.fields: dict[str, list[Formula]] = {}
        self._left = list(steps)
        self._where = where
        self._word_bits = word_bits
        self._apart: set[str] = set()  # fields of which one bit at most is 1

    def fail(self, what: str) -> VerificationError:
        """What to raise."""
        return VerificationError(f"{self._where} {what}")

    def passes(self, purpose: str) -> None:
        """Run the passes that come next and are for this."""
        for step in self._next(purpose):
            for output, field in step.writes:
                self.fields[field] = self._outputs(step, output)

    def subtracts(
        self, purpose: str, names: Mapping[str, str], isa: str, operands: Mapping[str, Sequence[Formula]]
    ) -> None:
        """The passes that come next are those of the units under other names: lemmas 6 and 7 say what they write.

        names: the units' names of the fields. operands: what the fields must hold; without C the units' last pass,
        which chooses the next pc, is not among them. What they write is forgotten.
        """
        steps = self._next(purpose)
        clash = set(names.values()) - set(names)
        used = {field for step in steps for field in _fields_of(step)}
        if clash & used:
            raise self.fail(f"mixes up {', '.join(sorted(clash & used))} in '{purpose}'")
        own = [renamed(step, names) for step in steps]
        if "C" not in operands:
            own.append(unit_schedule(self._word_bits, isa, GROUP)[-1])
        check_steps(own, self._word_bits, isa, GROUP, f"{self._where} in '{purpose}'")
        for field, wanted in operands.items():
            self.require(field, wanted)
        self.require("one", [1])
        for step in steps:
            for _, field in step.writes:
                self.fields[field] = symbols(field, self._word_bits)

    def require(self, field: str, wanted: Sequence[Formula]) -> None:
        """Raise VerificationError unless a field holds these formulas."""
        found = self.fields.get(field)
        if found is None or len(found) != len(wanted):
            raise self.fail(f"does not write the {len(wanted)} bits of '{field}'")
        for i, (one, other) in enumerate(zip(found, wanted, strict=True)):
            if one != other:
                raise self.fail(f"miswires bit {i} of '{field}'")

    def forget(self, *fields: str) -> None:
        """Take fields for symbols from here on: what they hold was shown."""
        for field in fields:
            self.fields[field] = symbols(field, len(self.fields[field]))

    def given_one_at_most(self, field: str) -> None:
        """One bit at most of a field is 1: each was shown to say that one word is another number."""
        self._apart.add(field)

    def end(self) -> None:
        """Raise VerificationError if passes are left."""
        if self._left:
            raise self.fail(f"goes on with '{self._left[0][0]}'")

    def _next(self, purpose: str) -> list[Pass]:
        count = next((k for k, (each, _) in enumerate(self._left) if each != purpose), len(self._left))
        steps = [step for _, step in self._left[:count]]
        if not steps:
            raise self.fail(f"lacks '{purpose}'")
        del self._left[:count]
        return steps

    def _outputs(self, step: Pass, output: str) -> list[Formula]:
        """What an output of a pass is at each of its positions; of a pooled network, in each of its groups."""
        template_set = template_sets().get(step.network)
        if template_set is None or output not in template_set.outputs:
            raise self.fail(f"asks '{step.network}' for '{output}'")
        if {line for line, _ in step.reads} != set(template_set.lines):
            raise self.fail(f"reads other lines than those of '{step.network}'")
        length = step.groups(template_set.group) * template_set.group
        lines = {line: self._line(source, length) for line, source in step.reads}
        if step.network == "select":
            columns = zip(lines["flag"], lines["yes"], lines["no"], strict=True)
            return [choice(*column) for column in columns][: step.positions]
        if step.network == "any":
            return [some_of(lines["bit"][start : start + GROUP]) for start in range(0, length, GROUP)]
        if step.network == "decode":
            value = int(output.removeprefix("is"))
            nibbles = zip(*(lines[f"bit{k}"] for k in range(NIBBLE)), strict=True)
            return [equals(nibble, value) for nibble in nibbles][: step.positions]
        if step.network == "read":
            return self._read(lines)[: step.positions]
        raise self.fail(f"uses '{step.network}' for something else than a subtraction")

    def _read(self, lines: Mapping[str, Sequence[Formula]]) -> list[Formula]:
        """The cells whose rows are flagged, where all positions of a group are given one flag, or none, at most."""
        rows = [lines[f"row{k}"] for k in range(GROUP)]
        for start in range(0, len(rows[0]), GROUP):
            flags = [row[start] for row in rows]
            if any(row[start : start + GROUP] != [flag] * GROUP for row, flag in zip(rows, flags, strict=True)):
                raise self.fail("gives the positions of a group other rows")
            named = [flag for flag in flags if flag != 0]
            apart = [flag for flag in named if isinstance(flag, Bit) and flag.field in self._apart]
            if len(apart) < len(named) or len({flag.field for flag in apart}) > 1 or len(set(apart)) < len(apart):
                raise self.fail("may flag two rows at once")
        cells = [lines[f"cell{k}"] for k in range(GROUP)]
        return [
            some_of(all_of((row[i], cell[i])) for row, cell in zip(rows, cells, strict=True))
            for i in range(len(rows[0]))
        ]

    def _line(self, source: Source, positions: int) -> list[Formula]:
        """A line at these positions, as `passes.read_line` gives it."""
        if isinstance(source, Pick):
            places = [*source.bits[:positions], *[None] * (positions - len(source.bits))]
            return [0 if place is None else self._bit(*place) for place in places]
        if isinstance(source, Spread):
            return [self._bit(source.field, source.index)] * positions
        field = self._field(source.field)
        shifted = range(-source.shift, positions - source.shift)
        return [field[i] if 0 <= i < len(field) else 0 for i in shifted]

    def _bit(self, field: str, index: int) -> Formula:
        found = self._field(field)
        if not 0 <= index < len(found):
            raise self.fail(f"reads bit {index} of '{field}', which has {len(found)}")
        return found[index]

    def _field(self, name: str) -> list[Formula]:
        if name not in self.fields:
            raise self.fail(f"reads '{name}', which nothing wrote")
        return self.fields[name]


def _fields_of(step: Pass) -> set[str]:
    """The fields that a pass reads or writes."""
    found = {field for _, field in step.writes}
    for _, source in step.reads:
        if isinstance(source, Pick):
            found |= {place[0] for place in source.bits if place is not None}
        else:
            found.add(source.field)
    return found
