"""How a session's words, instructions, steps and places are written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from assembler.image import signed
from vm.margin import format_margin

if TYPE_CHECKING:
    from vm.debugger.history import StepAccount
    from vm.debugger.session import Session

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
    return session.label_at(at) or number(session, at)


def place(session: Session, at: int) -> str:
    """An address and what it is called: 9 (loop+3)."""
    shown = number(session, at)
    near = session.label_near(at)
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


def line(session: Session, at: int) -> str:
    """file:line of an address, with the calls it was expanded from; empty where there is no source."""
    origin = session.origin(at)
    if origin is None:
        return ""
    return " in ".join(f"{each.file}:{each.line}" for each in (origin, *origin.calls))


def location(session: Session) -> str:
    """Where the machine stands: step, pc, instruction, source line."""
    pc = session.present.pc
    head = f"{session.present.step:,}  pc {place(session, pc)}"
    if session.has_halted:
        return f"{head}  halted"
    where = line(session, pc)
    return f"{head}  {instruction_at(session, pc)}" + (f"  ; {where}" if where else "")


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
