"""How a session moves by source: to the next statement, over calls, out of an expansion or a routine.

Every motion returns why it ended early, as lines of text: nothing where it got where it was told to go.
"""

from __future__ import annotations

import numpy as np

from assembler import Origin
from vm.debugger import points, rendering, travel
from vm.debugger.block_lines import end_of_block
from vm.debugger.errors import CommandError
from vm.debugger.session import Session
from vm.debugger.stack import Frame
from vm.debugger.standing import Entry, Standing, at_step, chosen, open_call, routine, standing


def step(session: Session) -> list[str]:
    """Run to the next statement at the level looked at, or an outer one, into whatever is called."""
    marks = _other_statements(session)
    reasons = travel.forward(session, 1) if marks is None else travel.forward(session, marks=marks)
    _look_outward(session)
    return reasons


def step_into(session: Session) -> list[str]:
    """Look one level deeper; where there is none, step."""
    session.chosen = 0
    here = standing(session)
    if session.level + 1 < len(here.path):
        session.level += 1
        return []
    return step(session)


def step_instructions(session: Session, count: int) -> list[str]:
    """Execute instructions, whatever they are a part of."""
    reasons = travel.forward(session, count)
    _look_outward(session)
    return reasons


def next_(session: Session) -> list[str]:
    """Run to the next statement at the level looked at, or an outer one: over routines that are called, and blocks."""
    marks = _other_statements(session)
    if marks is not None and not session.level:
        marks &= ~_block(session)
    if marks is None:
        reasons = travel.forward(session, 1)
    else:
        reasons = _run(session, marks, _depth(session))
    _look_outward(session)
    return reasons


def step_back(session: Session) -> list[str]:
    """Go back to the beginning of the statement that was executed last, in a routine or not."""
    ids, _ = session.source.statements(0)
    history, shared = session.history, session.source.shared
    begun: tuple[int, int] | None = None  # a statement, and the first of its steps among those looked at
    for first, piece in history.slices(history.first, session.present.step, backwards=True):
        for row in np.flatnonzero(~shared[piece.pcs])[::-1].tolist():
            pc = int(piece.pcs[row])
            is_instruction = len(session.source.path(pc)) <= 1
            if begun is None and is_instruction:
                return _back_to(session, first + row)
            if begun is not None and (is_instruction or ids[pc] != begun[0]):
                return _back_to(session, begun[1])
            begun = int(ids[pc]), first + row
    return travel.backward(session, session.present.step - begun[1] if begun is not None else 1)


def _back_to(session: Session, step: int) -> list[str]:
    session.travel(step)
    session.look_at_program()
    return []


def finish(session: Session) -> list[str]:
    """Run to the end of the innermost expansion or routine, of the chosen line of the backtrace if one is chosen."""
    if not session.source:
        raise CommandError(
            "this image has no source, so no expansion and no `call` is known", "`until LOC` runs to an address"
        )
    if session.chosen:
        entry = chosen(session)
        reasons = _finish_chosen(session, entry)
    else:
        reasons = _finish_here(session)
    session.look_at_program()
    return reasons


def _finish_here(session: Session) -> list[str]:
    here = standing(session)
    level = min(max(session.level, here.level), max(len(here.path) - 1, 0))
    if not level:
        return _return(session, open_call(session, here))
    return _leave(session, here, level)


def _finish_chosen(session: Session, entry: Entry) -> list[str]:
    if not entry.level:
        return _return(session, entry.frame)
    depth = entry.frame.depth if entry.frame is not None else 0
    source = session.source
    reasons = _run(session, source.outside(entry.address, entry.level) & ~source.shared, depth)
    return reasons or [_left(entry.path[entry.level - 1])]


def _leave(session: Session, here: Standing, level: int) -> list[str]:
    """Run to the end of the expansion of a call in the path of where the machine stands."""
    source = session.source
    above = len(source.path(here.entered)) - 1
    if here.entered == here.pc or level <= above:
        marks = source.outside(here.entered, level) & ~source.shared
    else:
        marks = source.outside(here.pc, level - above + source.shared_depth(here.pc))
    reasons = _run(session, marks, _depth(session))
    return reasons or [_left(here.path[level - 1])]


def _return(session: Session, frame: Frame | None) -> list[str]:
    """Run until a routine has returned, calls of itself in between included."""
    if frame is None:
        raise CommandError("pc is in no macro expansion, and no `call` was recorded that has not returned")
    name = routine(session, frame)
    call = at_step(session, session.present.step, frame.call).path[0]
    reasons = _run(session, points.marks_at(session.size, frame.returns), frame.depth - 1)
    return reasons or [f"returned from `{name}`, called at {call.file}:{call.line}"]


def _left(call: Origin) -> str:
    return f"left the expansion of `{rendering.statement(call.text)}` ({call.file}:{call.line})"


def _run(session: Session, marks: np.ndarray, depth: int) -> list[str]:
    """Run until pc is one of `marks`, in this many open calls or fewer."""
    wanted = marks
    while True:
        before = session.present.step
        reasons = travel.forward(session, marks=wanted)
        if reasons or session.present.step == before:
            return reasons
        frame = session.stack.at(session.present.step)
        if frame is None or frame.depth <= depth:
            if session.present.pc >= session.size or marks[session.present.pc]:
                return []
            wanted = marks
            continue
        while frame.caller is not None and frame.caller.depth > depth:
            frame = frame.caller
        wanted = points.marks_at(session.size, frame.returns)


def _depth(session: Session) -> int:
    frame = open_call(session, standing(session))
    return 0 if frame is None else frame.depth


def _other_statements(session: Session) -> np.ndarray | None:
    """Where the statement after the one looked at may begin: bool [size]; None for one that is an instruction."""
    here = standing(session)
    shared = here.entered != here.pc
    if len(here.path) <= session.level + 1 or (shared and session.level >= len(session.source.path(here.entered)) - 1):
        return None
    ids, begins = session.source.statements(session.level)
    return begins & (ids != ids[here.entered])


def _block(session: Session) -> np.ndarray:
    """The lines of the block that the line of the program opens, if the machine stands before it: bool [size]."""
    here = standing(session)
    head = here.path[0]
    if here.level or here.entered != here.pc or session.source.first_word(head) != here.pc:
        return np.zeros(session.size, np.bool_)
    last = end_of_block(rendering.source_lines(session, head.file), head.line)
    return session.source.made_by(head.file, head.line + 1, last or head.line)


def _look_outward(session: Session) -> None:
    """After a motion, look at the statement that begins here, if it is an outer one."""
    session.chosen = 0
    session.level = min(session.level, standing(session).level)
