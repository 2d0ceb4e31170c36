"""How a session's words, instructions, steps and places are written."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assembler import Origin
from assembler.image import signed
from vm.debugger import standing
from vm.debugger.typed_lines import TYPED
from vm.margin import format_margin

if TYPE_CHECKING:
    from vm.debugger.history import StepAccount
    from vm.debugger.session import Session

_LABELS = re.compile(r"\s*(?:[A-Za-z_]\w*\s*:\s*)*")
_UNCOMMENTED = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?!//)[^;#])*""")
NEAR = 64  # words after a label that are still named by it


def number(session: Session, word: int) -> str:
    """A word as a signed number."""
    return str(signed(word, session.word_bits))


def counted(count: int, noun: str) -> str:
    """ "1 step", "2 steps"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def both(session: Session, word: int) -> str:
    """A word signed, and where that is another number, unsigned."""
    value = signed(word, session.word_bits)
    return str(value) if value == word else f"{value} ({word})"


def address(session: Session, at: int) -> str:
    """An address by its label, -1 for the console, else as a number."""
    if at == session.console:
        return "-1"
    return session.labels.at(at) or number(session, at)


def place(session: Session, at: int) -> str:
    """An address and what it is called: 9 (loop+3)."""
    shown = number(session, at)
    near = session.labels.near(at)
    if near is None or at - near[1] > NEAR:
        return shown
    label, start = near
    return f"{shown} ({label}{f'+{at - start}' if at > start else ''})"


def instruction(session: Session, pc: int, a: int, b: int, c: int) -> str:
    """Three words as a statement."""
    operands = [address(session, a), address(session, b)]
    if c != (pc + 3) & session.console:
        operands.append(address(session, c))
    return f"{session.image.isa} {', '.join(operands)}"


def instruction_at(session: Session, pc: int) -> str:
    """The instruction that stands in memory at an address."""
    if pc + 3 > session.size:
        return "(no room for an instruction)"
    return instruction(session, pc, *session.present.memory[pc : pc + 3].tolist())


def statement(text: str) -> str:
    """A line without its labels and its comment, blanks made one; all of it where there is nothing else."""
    rest = text[len(_matched(_LABELS, text)) :]
    return " ".join(_matched(_UNCOMMENTED, rest).split()) or " ".join(text.split())


def _matched(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.match(text)
    return found[0] if found is not None else ""


def place_of(path: Sequence[Origin]) -> str:
    """file:line of the program, and behind it that of the macro's line; empty where there is no source."""
    if not path:
        return ""
    outer, inner = path[0], path[-1]
    return f"{outer.file}:{outer.line}" + (f", in {inner.file}:{inner.line}" if len(path) > 1 else "")


def line(session: Session, at: int, step: int | None = None) -> str:
    """The line of an address: on its own, or as what was executed there at a step."""
    if step is not None:
        return place_of(standing.at_step(session, step, at).path)
    return place_of(session.path(at))


def location(session: Session) -> str:
    """Where the machine stands: step, pc, instruction, and the line that is looked at, unless it is the instruction."""
    pc = session.present.pc
    head = f"{session.present.step:,}  pc {place(session, pc)}"
    if session.has_halted:
        return f"{head}  halted"
    path = standing.standing(session).path
    where = place_of(path)
    looked = standing.looked_at(session) if len(path) > 1 else None
    return (
        f"{head}  {instruction_at(session, pc)}"
        + (f"  ; {where}" if where else "")
        + (f"\n{current(session, looked)}" if looked is not None else "")
    )


def current(session: Session, origin: Origin) -> str:
    """The line that is looked at; with its file where that is not the one the program begins in."""
    is_main = origin.file == session.source.main_file
    return f"=> {'' if is_main else f'{origin.file}:'}{origin.line}  {session.painted(origin.text.strip())}"


def effect(session: Session, step: StepAccount) -> str:
    """What a step did: the subtraction or the byte moved, whether it branched, and the margin."""
    console = session.console
    if step.a == console and step.b == console:
        did = f"read and wrote {_byte(step.word)}"
    elif step.b == console:
        did = f"wrote {_byte(step.word)}"
    elif step.a == console:
        did = f"read {number(session, step.word)} into {address(session, step.b)}"
    else:
        values = (number(session, word) for word in (step.minuend, step.subtrahend, step.word))
        did = "{}: {} - {} = {}".format(address(session, step.b), *values)
    followed = "" if step.next_pc == (step.pc + 3) & console else f", to {address(session, step.next_pc)}"
    margin = "" if math.isinf(step.margin) else f", margin {format_margin(step.margin)}"
    return f"{did}{followed}{margin}"


def step_line(session: Session, step: StepAccount) -> str:
    """One executed step."""
    stood = instruction(session, step.pc, step.a, step.b, step.c)
    return f"{step.step:,}  pc {step.pc:<5}  {stood:<24}  {effect(session, step)}"


def _byte(value: int) -> str:
    return f"{chr(value)!r}" if 32 <= value < 127 else f"byte {value}"


def source_lines(session: Session, file: str) -> dict[int, str]:
    """The lines of a file of the program, by number: all of them where it can be read, else those of words."""
    known = session.typed.texts if file == TYPED else session.source.lines(file)
    text = session.read_source(file)
    if text is None:
        return known
    lines = dict(enumerate(text.splitlines(), 1))
    # A file that was changed since it was assembled says nothing of this program.
    return lines if all(lines.get(number) == said for number, said in known.items()) else known
