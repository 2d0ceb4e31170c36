"""The commands that move the machine."""

from __future__ import annotations

from vm.debugger import arguments, points, rendering, statements, travel
from vm.debugger.errors import CommandError
from vm.debugger.session import Session

TRACED_STEPS = 1_000  # the most steps of a motion that are listed


def step(session: Session, text: str) -> str:
    began = session.present.step
    if text == "in":
        return arrived(session, statements.step_into(session), began)
    count = arguments.count(session, text, 1)
    if not session.source.is_expanded:
        return _instructions(session, count)
    reasons: list[str] = []
    while count and not reasons:
        before = session.present.step
        reasons = statements.step(session)
        count = count - 1 if session.present.step > before else 0
    return arrived(session, reasons, began)


def stepi(session: Session, text: str) -> str:
    return _instructions(session, arguments.count(session, text, 1))


def _instructions(session: Session, count: int) -> str:
    began = session.present.step
    reasons = statements.step_instructions(session, count)
    shown = []
    if session.present.step > began and not session.tracing:
        shown = [rendering.step_line(session, last) for last in session.history.accounts(session.present, 1)]
    return arrived(session, [*shown, *reasons], began)


def next_(session: Session, text: str) -> str:
    arguments.nothing(text, "next")
    began = session.present.step
    return arrived(session, statements.next_(session), began)


def finish(session: Session, text: str) -> str:
    arguments.nothing(text, "finish")
    began = session.present.step
    return arrived(session, statements.finish(session), began)


def continue_(session: Session, text: str) -> str:
    arguments.nothing(text, "continue")
    began = session.present.step
    return arrived(session, _settled(session, travel.forward(session)), began)


def until(session: Session, text: str) -> str:
    if not text:
        raise CommandError("`until` needs a place to run to", "usage: until LOC")
    address = arguments.place(session, text)
    marks = points.marks_at(session.size, address)
    began = session.present.step
    return arrived(session, _settled(session, travel.forward(session, marks=marks)), began)


def run(session: Session, text: str) -> str:
    arguments.nothing(text, "run")
    session.restart()
    return arrived(session, _settled(session, travel.begin(session)), 0)


def back(session: Session, text: str) -> str:
    count = arguments.count(session, text, 1)
    return arrived(session, _settled(session, travel.backward(session, count)), session.present.step)


def reverse_continue(session: Session, text: str) -> str:
    arguments.nothing(text, "reverse-continue")
    return arrived(session, _settled(session, travel.reverse(session)), session.present.step)


def goto(session: Session, text: str) -> str:
    if not text:
        raise CommandError("`goto` needs the number of a step", "usage: goto STEP")
    began = session.present.step
    return arrived(session, _settled(session, travel.go(session, arguments.count(session, text, 0))), began)


def arrived(session: Session, said: list[str], began: int) -> str:
    """Why a motion ended, its steps where they are traced, where the machine stands now, and what is displayed."""
    lines = []
    moved = session.present.step - began
    if session.tracing and moved > 0:
        shown = min(moved, TRACED_STEPS)
        if shown < moved:
            lines.append(f"({moved - shown:,} steps before these)")
        lines += [rendering.step_line(session, each) for each in session.history.accounts(session.present, shown)]
    lines += [*said, rendering.location(session), *displayed(session)]
    return "\n".join(lines)


def displayed(session: Session) -> list[str]:
    """The expressions to be shown after every command that moves the machine."""
    lines = []
    for index, text in enumerate(session.displays, 1):
        try:
            value = str(session.evaluate(text))
        except CommandError as error:
            value = f"({error})"
        lines.append(f"{index}: {text} = {value}")
    return lines


def _settled(session: Session, reasons: list[str]) -> list[str]:
    """After a run or a jump, the user looks at the line of the program."""
    session.look_at_program()
    return reasons
