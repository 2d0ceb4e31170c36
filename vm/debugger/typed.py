"""Statements that are typed: assembled into the machine's memory with the program's names, and executed at once."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from assembler import AssemblyError, Image, assemble
from vm.debugger import moving, rendering, travel
from vm.debugger.errors import CommandError, refused
from vm.debugger.session import Session
from vm.debugger.typed_lines import TYPED

SHOWN_WORDS = 12  # of one statement
_NAME = re.compile(r"[A-Za-z_]\w*")
_LABELS = re.compile(r"\s*(?:[A-Za-z_]\w*\s*:\s*)*")
_END = "end_of_typed_statement"


@dataclass(frozen=True)
class Typed:
    """A statement in words. Those after `end`, if any, are what its macros share."""

    text: str
    start: int
    end: int
    words: dict[int, int]
    labels: dict[str, int]  # the new ones

    @property
    def executes(self) -> bool:
        """Whether it is an instruction or a macro: not a directive, and not labels alone."""
        return bool(self.words) and _is_code(self.text)


def assembled(session: Session, address: int, statement: str) -> Typed:
    """A statement assembled to an address. Raises CommandError."""
    image = _image(session, f".org {address}\n{statement}\n{_END}:", statement)
    end = image.symbols[_END]
    if any(run.end > end for run in image.source_map or ()):
        # What the macros share goes after the program, and after a word of its own: nothing else may begin at `end`.
        there = f".org {session.typed.free}\n" if address != session.typed.free else ""
        image = _image(session, f".org {address}\n{statement}\n{_END}:\n{there}.word 0", statement)
    runs = image.source_map or ()
    words = {at: image.words[at] for run in runs for at in range(run.start, run.end)}
    if max(words, default=0) >= session.size:
        raise CommandError(f"at {address} there is no room for {len(words):,} words")
    labels = {name: value for name, value in image.labels.items() if name in _defined(statement)}
    taken = next((name for name in labels if name in session.symbols), None)
    if taken is not None:
        raise CommandError(f"`{taken}` is a label already, at {session.symbols[taken]}")
    return Typed(statement.strip(), address, end, words, labels)


def put(session: Session, typed: Typed) -> tuple[str, int]:
    """Write the words to memory. Returns what to say, and how many recorded steps this made untrue."""
    dropped = session.edit(f"asm {typed.start} {typed.text}", typed.words)
    session.add_typed(typed.text, typed.labels, max(typed.words, default=-1) + 1)
    shown = [rendering.number(session, typed.words[at]) for at in sorted(typed.words)[:SHOWN_WORDS]]
    if len(typed.words) > SHOWN_WORDS:
        shown.append(f"… {len(typed.words):,} words in all")
    return f"{rendering.place(session, typed.start)}: {' '.join(shown) or '(no words)'}", dropped


def enter(session: Session, statement: str) -> str:
    """Assemble a statement at the end of memory; an instruction or a macro is executed at once.

    An instruction shows its step, a macro the words that it has changed. It runs until it leaves its own words.
    """
    typed = assembled(session, session.typed.free, statement)
    said, _ = put(session, typed)
    if not typed.executes:
        return said
    if session.present.pc != typed.start:
        session.edit(f"pc = {typed.start}", pc=typed.start)
    began, before = session.present.step, session.present.memory.copy()
    if len(typed.words) == 3:
        reasons = travel.forward(session, 1)
    else:
        outside = np.ones(session.size, np.bool_)
        outside[sorted(typed.words)] = False
        outside[typed.end : typed.end + 1] = True
        reasons = travel.forward(session, marks=outside)
    executed = session.present.step - began
    if executed <= 1:
        lines = [rendering.step_line(session, each) for each in session.history.accounts(session.present, executed)]
    else:
        there = f"{typed.start}, {(typed.end - typed.start) // 3}"
        lines = _results(session, typed, before)
        lines.append(f"({executed:,} steps: `:history {executed}` lists them, `:disassemble {there}` the statement)")
    lines += reasons
    if session.present.pc != typed.end and not reasons:
        lines.append(rendering.location(session))
        there = session.typed_at(session.present.pc)
        if there is not None and _is_code(there.text):
            lines.append("(a statement is executed once, where it is typed: `:continue` goes on from here)")
    return "\n".join([*lines, *moving.displayed(session)])


def _is_code(statement: str) -> bool:
    labels = _LABELS.match(statement)
    return not statement[labels.end() if labels else 0 :].startswith(".")


def _results(session: Session, typed: Typed, before: np.ndarray) -> list[str]:
    """The words that a statement has changed, but for its own."""
    now = session.present.memory
    changed = [at for at in np.flatnonzero(before != now).tolist() if not _is_inner(session, typed, at)]
    lines = [
        f"{rendering.address(session, at)}: "
        f"{rendering.number(session, int(before[at]))} -> {rendering.number(session, int(now[at]))}"
        for at in changed[:SHOWN_WORDS]
    ]
    return lines if len(changed) <= SHOWN_WORDS else [*lines, f"… {len(changed):,} words in all"]


def _is_inner(session: Session, typed: Typed, address: int) -> bool:
    """Whether a word is one of the statement's, or of another one that is executed."""
    made = session.typed_at(address)
    return address in typed.words or (made is not None and _is_code(made.text))


def _image(session: Session, placed: str, statement: str) -> Image:
    lines = [f".isa {session.image.isa}", f".width {session.word_bits}"]
    defined = _defined(statement)
    for name in dict.fromkeys(_NAME.findall(statement)):
        if name in session.symbols and name not in defined and not name.startswith("__"):
            lines.append(f".equ {name}, {session.symbols[name]}")
    try:
        return assemble("\n".join([*lines, placed]), TYPED)
    except AssemblyError as error:
        raise refused(error) from None


def _defined(statement: str) -> set[str]:
    """The names that a statement gives."""
    return {name.strip(" \t:") for name in re.findall(r"[A-Za-z_]\w*\s*:", statement)}
