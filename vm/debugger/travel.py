"""How a session moves: forward and backward, to the next thing worth stopping at, over and out of macro expansions.

Every motion returns why it ended, as lines of text: nothing where it got where it was told to go.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Collection, Iterator

import numpy as np

from assembler.image import signed
from vm.chunk import Record
from vm.debugger import points, rendering
from vm.debugger.errors import CommandError
from vm.debugger.expressions import value_of
from vm.debugger.history import StepAccount
from vm.debugger.present import Edit
from vm.debugger.scanning import Scanner
from vm.debugger.session import Session
from vm.debugger.vectors import Rows
from vm.margin import format_margin
from vm.run import deferred_interrupt
from vm.state import Stops, make_stops

# These are seen after the step that did it, a break before its instruction.
AFTER = (points.WATCH, points.READ, points.VALUE, points.MARGIN)


def forward(
    session: Session, count: int | None = None, marks: np.ndarray | None = None, heeds_points: bool = True
) -> list[str]:
    """Go on until something is worth stopping at, for `count` steps, or until pc is one of `marks` (bool [size]).

    What was recorded already is taken from the history, the rest is computed.
    """
    present, history = session.present, session.history
    began = present.step
    goal = None if count is None else began + count
    mask, floor = points.mask_of(session.points if heeds_points else (), session.size)
    if marks is not None:
        mask[marks] |= np.uint8(Stops.BREAK)
    if marks is None and heeds_points:
        live = session.loop_stops = session.loop_stops or make_stops(session.size, mask, floor)
    else:
        live = make_stops(session.size, mask, floor)
    scanner = Scanner(session.points if heeds_points else [], session.symbols)
    if any(point.ignored for point in session.points):
        session.points_changed()  # once they have been ignored often enough, the loop knows them
    session.on_moved(None)
    with _interruptible(session) as interrupted:
        while True:
            before = present.step
            if before < history.end:
                _replay(session, goal, mask, floor, scanner, interrupted)
                ended = None
            else:
                ended = session.compute(
                    None if goal is None else goal - before, live, scanner.first if scanner else None
                )
            moved = present.step > before
            reasons = _hits(session, (points.BREAK, *AFTER), scanner.passed) if moved and heeds_points else []
            if ended is not None:
                reasons.append(ended)
            if interrupted() and not reasons:
                reasons.append(f"interrupted after {present.step - began:,} steps")
            if reasons or (goal is not None and present.step >= goal):
                return reasons
            if moved and marks is not None and present.pc < session.size and marks[present.pc]:
                return []


def begin(session: Session) -> list[str]:
    """Go on from the beginning, where a break stops before the first instruction, too."""
    return _hits(session, (points.BREAK,)) or forward(session)


def backward(session: Session, count: int) -> list[str]:
    """Go back this many steps, or as far as steps are kept."""
    oldest = session.history.first
    if session.present.step - count < oldest:
        session.travel(oldest)
        return [_oldest(session)]
    session.travel(session.present.step - count)
    return []


def go(session: Session, step: int) -> list[str]:
    """Go to a step: back or forward in the history, or beyond it by computing."""
    if step < session.history.first:
        raise CommandError(f"step {step:,} is not kept any more", _oldest(session))
    session.travel(min(step, session.history.end))
    return forward(session, step - session.present.step, heeds_points=False) if step > session.history.end else []


def reverse(session: Session) -> list[str]:
    """Go back to the last thing worth stopping at before the present."""
    mask, floor = points.mask_of(session.points, session.size)
    scanner = Scanner(session.points, session.symbols)
    session.on_moved(None)
    with _silent(session), _interruptible(session) as interrupted:
        position = session.present.step
        while not interrupted():
            found = _last_hit(session, mask, floor, scanner, position, interrupted)
            if interrupted():
                session.travel(position)
                break
            edit = _last_edit_watched(session, position, -1 if found is None else found)
            if edit is not None:
                session.travel(edit.step)
                return [f"changed by hand before step {edit.step:,}: {edit.text}"]
            if found is None:
                session.travel(session.history.first)
                return [_oldest(session)]
            session.travel(found + 1)
            reasons = _hits(session, AFTER)
            session.travel(found)
            reasons += _hits(session, (points.BREAK,))
            if reasons:
                return reasons
            position = found
    return ["interrupted"]


def _oldest(session: Session) -> str:
    first = session.history.first
    if first:
        return f"step {first:,} is the oldest that is kept: the history holds {session.history.limit:,} steps"
    return "this is the beginning"


def _replay(
    session: Session,
    goal: int | None,
    mask: np.ndarray,
    floor: float,
    scanner: Scanner,
    interrupted: Callable[[], bool],
) -> None:
    """Forward in the history, up to what is worth a look, the goal, or a change by hand or the end."""
    history = session.history
    scanner.passed.clear()
    last = history.end if goal is None else min(goal, history.end)
    edits = [edit.step for edit in history.edits if session.present.step < edit.step <= last]
    last = min(edits, default=last)
    for first, piece in history.slices(session.present.step, last):
        session.on_moved(first)
        if interrupted():
            last = first
            break
        if scanner:
            session.travel(first)
        rows = _rows(session, first, piece)
        arrives = _marked(session, mask & Stops.BREAK, rows.arrived)
        hits = np.flatnonzero(arrives | _written(session, mask, floor, piece))
        if scanner:
            seen = _rows(session, first, piece.first(int(hits[0]) + 1)) if hits.size else rows
            found = scanner.first(seen, bool(edits) and first + len(seen) == last)
            hits = hits if found is None else np.array([found])
        if hits.size:
            last = first + int(hits[0]) + 1
            break
    session.travel(last)


def _rows(session: Session, first: int, piece: Record) -> Rows:
    """Recorded steps, from where the machine stands on."""
    next_pc = session.history.pc_at(first + len(piece.pcs))
    return Rows(piece, first, next_pc, session.present.memory, session.word_bits)


def _last_hit(
    session: Session,
    mask: np.ndarray,
    floor: float,
    scanner: Scanner,
    position: int,
    interrupted: Callable[[], bool],
) -> int | None:
    """The last step before a position that a break stands before or that wrote what is watched; None at Ctrl-C, too."""
    edits = sorted({edit.step for edit in session.history.edits if edit.step < position})
    bounds = [session.history.first, *(step for step in edits if step > session.history.first), position]
    for low, high in reversed(list(itertools.pairwise(bounds))):
        for first, piece in session.history.slices(low, high, backwards=True):
            session.on_moved(first)
            if interrupted():
                return None
            stood = _marked(session, mask & Stops.BREAK, piece.pcs)
            hits = np.flatnonzero(stood | _written(session, mask, floor, piece))
            last = int(hits[-1]) if hits.size else -1
            if scanner:
                session.travel(first)
                found = scanner.last(_rows(session, first, piece))
                last = max(last, -1 if found is None else found)
            if last >= 0:
                return first + last
    return None


def _last_edit_watched(session: Session, position: int, after: int) -> Edit | None:
    """The last change by hand of a watched word, made between two steps."""
    watches = [point for point in session.points if point.enabled and point.kind == points.WATCH]
    watched = [range(point.address, point.last + 1) for point in watches]
    for edit in reversed(session.history.edits):
        if after < edit.step < position and any(at in each for each in watched for at in edit.addresses.tolist()):
            return edit
    return None


def _written(session: Session, mask: np.ndarray, floor: float, piece: Record) -> np.ndarray:
    """Which steps wrote what is watched, or had a margin below the floor."""
    watched = _marked(session, mask & Stops.WATCH, piece.addresses) & ~session.history.is_console(piece.addresses)
    return watched | (~(piece.margins >= floor) & (floor > -np.inf))  # a NaN is below every floor


def _marked(session: Session, mask: np.ndarray, addresses: np.ndarray) -> np.ndarray:
    """Which of some addresses are marked; none outside the memory is."""
    inside = addresses < session.size
    return inside & (mask[np.where(inside, addresses, 0)] != 0)


def _hits(session: Session, kinds: tuple[str, ...], passed: Collection[int] = ()) -> list[str]:
    """Which stops of some kinds the present, or the step that led to it, is worth; conditions are looked at here.

    passed: the numbers of those that have been counted and do not stop here.
    """
    reasons = []
    last = session.last_step()
    for point in list(session.points):
        if not point.enabled or point.kind not in kinds or point.number in passed:
            continue
        if point.kind != points.BREAK and last is None:
            continue
        hit, said = _look(session, point, last)
        if hit and point.condition is not None:
            try:
                hit = session.evaluate(point.condition) != 0
            except CommandError as error:
                said += f"; its condition has no value: {error}"
        if hit and point.ignored:
            point.hits += 1
            point.ignored -= 1
        elif hit:
            point.hits += 1
            session.hit.append(point)
            reasons.append(said)
            if point.once:
                session.delete_point(point.number)
    return reasons


def _look(session: Session, point: points.StopPoint, last: StepAccount | None) -> tuple[bool, str]:
    """Whether a stop applies, its condition aside; and what is said of it."""
    if point.kind == points.BREAK or last is None:
        return (
            point.address == session.present.pc,
            f"{'tbreak' if point.once else 'break'} {point.number}: {point.text}",
        )
    where = rendering.line(session, last.pc, last.step)
    stood = rendering.instruction(session, last.pc, last.a, last.b, last.c)
    by = f"by step {last.step:,} at pc {last.pc}, `{stood}`" + (f" ({where})" if where else "")
    if point.kind == points.MARGIN:
        return (
            not last.margin >= point.floor,
            f"break {point.number}: margin {format_margin(last.margin, digits=3)} < {point.floor:g}, {by}",
        )
    named = f"{point.kind} {point.number}: {point.text}"
    if point.kind == points.VALUE:
        before, now = _value_before(session, point.text, last), _value(session, point.text)
        return before != now, f"watch {point.number}: {point.text}: {before} -> {now}, {by}"
    written = point.address <= last.address <= point.last
    if point.kind == points.READ:
        read = [at for at in (last.a, last.address) if point.address <= at <= point.last]
        each = f": {rendering.address(session, read[0])}" if read and point.last > point.address else ""
        was = last.subtrahend if read and read[0] == last.a else last.minuend
        return bool(read), f"{named}{each}: {rendering.number(session, was)}, read {by}"
    old, new = (rendering.number(session, word) for word in (last.minuend, last.word))
    each = f": {rendering.address(session, last.address)}" if point.last > point.address else ""
    return written, f"{named}{each}: {old} -> {new}, written {by}"


def _value(session: Session, text: str) -> int | str:
    try:
        return session.evaluate(text)
    except CommandError:
        return "(no value)"


def _value_before(session: Session, text: str, last: StepAccount) -> int | str:
    """The value of an expression before the last step."""

    def read(address: int) -> int:
        at = session.checked_address(address)
        return signed(last.minuend, session.word_bits) if at == last.address else session.read(at)

    try:
        return value_of(text, session.symbols, signed(last.pc, session.word_bits), last.step, read)
    except CommandError:
        return "(no value)"


@contextlib.contextmanager
def _silent(session: Session) -> Iterator[None]:
    """Hand on nothing of what the program writes: it was written already."""
    on_output, session.on_output = session.on_output, lambda data: None
    try:
        yield
    finally:
        session.on_output = on_output


@contextlib.contextmanager
def _interruptible(session: Session) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C wait until the session is in order; yields whether to end."""
    requested = session.stop_requested
    if threading.current_thread() is not threading.main_thread():
        yield requested.is_set  # whoever started the thread cleared it before: Ctrl-C may have been pressed since
        return
    requested.clear()
    with deferred_interrupt() as pressed:
        yield lambda: requested.is_set() or pressed()
