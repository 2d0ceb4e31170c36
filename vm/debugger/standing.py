"""Where the machine stands, as its author sees it: the line of the program, the macro calls below it, the routine.

What macros share is executed on behalf of the line that led there. That line is the last one executed that is not
shared, and the shared line stands below its macro calls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assembler import Origin
from vm.debugger.errors import CommandError
from vm.debugger.session import Session
from vm.debugger.source import Path
from vm.debugger.stack import Frame


@dataclass(frozen=True)
class Standing:
    """One place in a program at one step.

    path: from the line of the program down to the line that made the instruction; empty where no line did.
    level: the outermost level at which a statement begins here. In an expansion, that is below its call.
    entered: the address of the last instruction that is not shared; pc itself, where that one is not.
    """

    pc: int
    path: Path
    level: int
    entered: int


@dataclass(frozen=True)
class Entry:
    """One line of a backtrace: at `level` of its path, in the routine that `frame` called."""

    path: Path
    level: int
    address: int
    frame: Frame | None

    @property
    def origin(self) -> Origin:
        return self.path[self.level]

    @property
    def call(self) -> Origin | None:
        """The macro call whose expansion this line stands in."""
        return self.path[self.level - 1] if self.level else None


def standing(session: Session) -> Standing:
    """Where the machine stands now."""
    return at_step(session, session.present.step, session.present.pc)


def at_step(session: Session, step: int, pc: int) -> Standing:
    """Where the machine stood at a step that is kept."""
    source = session.source
    typed = session.typed.at(pc, step)
    if typed is not None:
        return Standing(pc, (typed,), 0, pc)
    path = source.path(pc) if pc < session.size else ()
    if not path or not source.shared[pc]:
        return Standing(pc, path, source.outermost(pc) if path else 0, pc)
    entered = _last_entered(session, step)
    if entered is None:
        return Standing(pc, path, source.outermost(pc), pc)
    above = source.path(entered)[:-1] or source.path(entered)
    depth = source.shared_depth(pc)
    level = len(above) + max(source.outermost(pc) - depth, 0)
    return Standing(pc, (*above, *path[depth:]), level, entered)


def looked_at(session: Session) -> Origin | None:
    """The line that the user looks at: of the chosen frame, or else at the chosen level."""
    if session.chosen:
        return chosen(session).origin
    path = standing(session).path
    return path[min(session.level, len(path) - 1)] if path else None


def chosen(session: Session) -> Entry:
    """The line of the backtrace that is looked at. Raises CommandError where there is none."""
    return backtrace(session)[session.chosen]


def backtrace(session: Session) -> list[Entry]:
    """The lines that lead to where the machine stands, innermost first. Raises CommandError where none is known."""
    if not session.source:
        raise CommandError("this image has no source, so no expansion and no `call` is known")
    here = standing(session)
    if not here.path:
        raise CommandError("no source line made the word at pc, so no expansion is known")
    frame = open_call(session, here)
    top = min(max(session.level, here.level), len(here.path) - 1)
    entries = [Entry(here.path, level, here.entered, frame) for level in range(top, -1, -1)]
    while frame is not None:
        path = session.source.path(frame.call)
        level = session.source.call_level(frame.call)
        entries += [Entry(path, each, frame.call, frame.caller) for each in range(level, -1, -1)]
        frame = frame.caller
    return entries


def open_call(session: Session, here: Standing) -> Frame | None:
    """The routine that the machine is in. One that a `call` is still on its way to is not entered yet."""
    frame = session.stack.at(session.present.step)
    if frame is None or here.entered == here.pc or not _is_on_its_way(session, frame):
        return frame
    return frame.caller


def routine(session: Session, frame: Frame) -> str:
    """What a called routine is named: by the label it begins with, or else as the `call` names it."""
    for _, piece in session.history.slices(max(frame.left, session.history.first), session.present.step):
        own = np.flatnonzero(~session.source.shared[piece.pcs])
        if own.size:
            return _named(session, frame, int(piece.pcs[own[0]]))
    return _named(session, frame, session.present.pc)


def _named(session: Session, frame: Frame, address: int) -> str:
    path = session.source.path(frame.call)
    said = path[session.source.call_level(frame.call)].text.partition("call")[2].split()
    return session.labels.at(address) or (said[0] if said else str(address))


def _is_on_its_way(session: Session, frame: Frame) -> bool:
    for _, piece in session.history.slices(max(frame.left, session.history.first), session.present.step):
        if not session.source.shared[piece.pcs].all():
            return False
    return True


def _last_entered(session: Session, step: int) -> int | None:
    """The last executed instruction before a step that is not shared."""
    for _, piece in session.history.slices(session.history.first, step, backwards=True):
        own = np.flatnonzero(~session.source.shared[piece.pcs])
        if own.size:
            return int(piece.pcs[own[-1]])
    return None
