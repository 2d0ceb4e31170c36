"""The whole machine in one network: a state of named bits, and the templates that take it one iteration further.

An instruction is a fixed number of iterations, its *phases*. One bit of the state says which phase it is; every
template that does something needs that bit, so the same network serves them all. What a phase leaves alone is copied
by one template a bit. Between two instructions everything but memory, pc, fault and the phase is 0.

A negative pc is a fixpoint in phase 0. An instruction that cannot be executed (a pc or an operand that is no address
of a cell) sets the fault bit: no phase follows, and memory and pc stay as they are. Derived in docs/whole_machine.md.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from learned_units.circuits import subtract_branch
from learned_units.circuits.passes import Pass, Read
from learned_units.circuits.state_templates import Axis, Bit, StateFamily, StateTemplates, Word
from learned_units.circuits.templates import TemplateSet

INSTRUCTION = 3  # words

PHASES = ("decode pc", "fetch", "decode operands", "read operands")  # then those of the subtraction, then "write back"


@functools.cache
def phases(word_bits: int) -> tuple[str, ...]:
    """The iterations of one instruction, by name."""
    return PHASES + tuple(step.network for step in _subtraction(word_bits)) + ("write back",)


@functools.cache
def _subtraction(word_bits: int) -> tuple[Pass, ...]:
    """The passes from the operands to the difference: all but those that choose the next pc."""
    return tuple(
        step for step in subtract_branch.schedule(word_bits, "sbn", word_bits) if step.network not in ("any", "select")
    )


def executable(cells: int, word_bits: int) -> int:
    """How many addresses an instruction can stand at: those from 0 that are not negative and leave room for it."""
    return max(min(cells - INSTRUCTION + 1, 1 << (word_bits - 1)), 0)


def pattern(word: int, word_bits: int) -> str:
    """A word as a pattern of bits, least significant first."""
    return "".join(str(word >> i & 1) for i in range(word_bits))


def at_least(bound: int, word_bits: int) -> tuple[str, ...]:
    """The words from `bound` on as patterns of which every word fits at most one: one for each 0 in bound - 1.

    A word is above a limit exactly if, at some bit that is 0 in the limit, it has a 1 and agrees with it above.
    """
    if bound == 0:
        return ("-" * word_bits,)
    limit = bound - 1
    return tuple(
        "-" * i + "1" + pattern(limit >> (i + 1), word_bits - i - 1) for i in range(word_bits) if not limit >> i & 1
    )


@functools.cache
def templates(cells: int, word_bits: int, isa: str) -> StateTemplates:
    """Fields and families of a machine of `cells` words; at least 3 cells, and -1 is the address of none of them."""
    names = phases(word_bits)
    last = len(names) - 1
    places = executable(cells, word_bits)
    word, flags = (word_bits,), (cells,)
    fields: list[tuple[str, tuple[int, ...]]] = [
        ("phase", (len(names),)),
        ("fault", (1,)),
        ("pc", word),
        ("memory", (cells, word_bits)),
        ("row", (places,)),  # where the instruction stands, one-hot
        *((name, word) for name in ("F", "A", "B", "C")),  # pc + 3, and the instruction's words
        ("row A", flags),  # the cells its operands name, one-hot
        ("row B", flags),
        ("b", word),  # the words in them: subtrahend,
        ("a", word),  # and minuend
        *((name, word) for name in ("x", "G", "P", "d")),
    ]
    if isa == "subleq":
        fields.append(("zero", (1,)))
    families = [
        *_decode_pc(cells, word_bits, places),
        *_fetch(word_bits, places),
        *_operands(cells, word_bits),
        *_subtract(word_bits, isa),
        *_write_back(cells, word_bits, isa, last),
        # From phase to phase, unless there was a fault.
        StateFamily((last - 1,), (Bit("phase", (Axis(0, 1),)), Bit("fault", (0,), 0)), (Bit("phase", (Axis(0, 2),)),)),
        StateFamily((1,), (Bit("phase", (last,)),), (Bit("phase", (0,)),)),
        *_copies(cells, word_bits, last),
    ]
    return StateTemplates(tuple(fields), tuple(families))


def _decode_pc(cells: int, word_bits: int, places: int) -> list[StateFamily]:
    """Phase 0: where the instruction stands and pc + 3; or a fault; or, at a negative pc, nothing for ever."""
    now = Bit("phase", (0,))
    sign = 1 << (word_bits - 1)
    here = tuple(pattern(j, word_bits) for j in range(places))
    after = tuple(pattern(j + INSTRUCTION, word_bits) for j in range(places))
    found = [
        StateFamily(
            (places,),
            (now, Word("pc", 0, here)),
            (Bit("row", (Axis(0),)), Word("F", 0, after), Bit("phase", (1,))),
        ),
        StateFamily((1,), (now, Bit("pc", (word_bits - 1,))), (now,)),
    ]
    outside = tuple(each + "0" for each in at_least(places, word_bits - 1)) if places < sign else ()
    if outside:
        found.append(StateFamily((len(outside),), (now, Word("pc", 0, outside)), (Bit("fault", (0,)),)))
    return found


def _fetch(word_bits: int, places: int) -> list[StateFamily]:
    """Phase 1: the three words of the instruction."""
    return [
        StateFamily(
            (places, word_bits),
            (Bit("phase", (1,)), Bit("row", (Axis(0),)), Bit("memory", (Axis(0, k), Axis(1)))),
            (Bit(name, (Axis(1),)),),
        )
        for k, name in enumerate("ABC")
    ]


def _operands(cells: int, word_bits: int) -> list[StateFamily]:
    """Phases 2 and 3: the cells the operands name, or a fault; and the words in them."""
    rows = tuple(pattern(j, word_bits) for j in range(cells))
    outside = at_least(cells, word_bits)
    found = []
    for name, value in (("A", "b"), ("B", "a")):
        flag = Bit(f"row {name}", (Axis(0),))
        found += [
            StateFamily((cells,), (Bit("phase", (2,)), Word(name, 0, rows)), (flag,)),
            StateFamily((len(outside),), (Bit("phase", (2,)), Word(name, 0, outside)), (Bit("fault", (0,)),)),
            StateFamily(
                (cells, word_bits),
                (Bit("phase", (3,)), flag, Bit("memory", (Axis(0), Axis(1)))),
                (Bit(value, (Axis(1),)),),
            ),
        ]
    return found


def _subtract(word_bits: int, isa: str) -> list[StateFamily]:
    """The passes of `subtract_branch`, each in a phase of its own; for SUBLEQ, beside the last, whether a = b."""
    sets = subtract_branch.template_sets(word_bits)
    found = []
    for phase, step in enumerate(_subtraction(word_bits), len(PHASES)):
        found += _families_of(step, sets[step.network], Bit("phase", (phase,)), word_bits)
    if isa == "subleq":
        equal = Word("x", 0, ("0" * word_bits,))
        found.append(StateFamily((1,), (Bit("phase", (len(phases(word_bits)) - 2,)), equal), (Bit("zero", (0,)),)))
    return found


def _families_of(step: Pass, template_set: TemplateSet, phase: Bit, word_bits: int) -> list[StateFamily]:
    """The families of a pass, wired to their fields, in one phase."""
    reads: Mapping[str, Read] = {line: source for line, source in step.reads if isinstance(source, Read)}
    writes = dict(step.writes)

    def wired(line: str, bit: int) -> Bit:
        return Bit(reads[line].field, (Axis(0, -reads[line].shift),), bit)

    return [
        StateFamily(
            (word_bits,),
            (phase, *(wired(line, bit) for line, bit in family.when)),
            tuple(Bit(writes[output], (Axis(0),)) for output in family.then),
        )
        for family in template_set.families
    ]


def _write_back(cells: int, word_bits: int, isa: str, last: int) -> list[StateFamily]:
    """The last phase: d goes to the cell B names, all other cells stay, and pc becomes C or F."""
    now = Bit("phase", (last,))
    cell, bit = Bit("memory", (Axis(0), Axis(1))), Axis(0)
    negative, not_negative = (Bit("d", (word_bits - 1,), value) for value in (1, 0))
    branches = [(negative,)]
    stays = (not_negative,)
    if isa == "subleq":
        branches.append((Bit("zero", (0,)),))
        stays = (not_negative, Bit("zero", (0,), 0))
    pc = (Bit("pc", (bit,)),)
    return [
        StateFamily((cells, word_bits), (now, Bit("row B", (Axis(0),)), Bit("d", (Axis(1),))), (cell,)),
        StateFamily((cells, word_bits), (now, Bit("row B", (Axis(0),), 0), cell), (cell,)),
        *(StateFamily((word_bits,), (now, *taken, Bit("C", (bit,))), pc) for taken in branches),
        StateFamily((word_bits,), (now, *stays, Bit("F", (bit,))), pc),
    ]


def _copies(cells: int, word_bits: int, last: int) -> list[StateFamily]:
    """What survives until the last phase, which writes it again or drops it."""
    until = Bit("phase", (last,), 0)
    kept = [("pc", word_bits), ("F", word_bits), ("C", word_bits), ("row B", cells), ("x", word_bits)]
    cell = Bit("memory", (Axis(0), Axis(1)))
    fault = Bit("fault", (0,))
    return [
        StateFamily((cells, word_bits), (until, cell), (cell,)),
        *(StateFamily((size,), (until, Bit(name, (Axis(0),))), (Bit(name, (Axis(0),)),)) for name, size in kept),
        StateFamily((1,), (fault,), (fault,)),
    ]
