"""The commands that say where to stop."""

from __future__ import annotations

import math
import re

from vm.console.terminal import table
from vm.debugger import arguments, points, rendering, standing
from vm.debugger.errors import CommandError
from vm.debugger.points import Collecting
from vm.debugger.session import Session

_MARGIN = re.compile(r"margin\s*<(?!=)\s*(?P<floor>\S+)")


def break_(session: Session, text: str) -> str:
    if not text:
        raise CommandError(
            "`break` needs a place", "usage: break LOC [if EXPR], break margin < NUMBER, break divergence"
        )
    margin = _MARGIN.fullmatch(text)
    if margin:
        return str(session.add_point(points.MARGIN, text, floor=_floor(margin["floor"])))
    if text == points.DIVERGENCE and text not in session.symbols:
        if session.checks:
            raise CommandError("divergence is stopped at already", "`info` lists what is stopped at")
        return f"{session.add_point(points.DIVERGENCE, text)} (steps are compared with the reference from here on)"
    return _add(session, text, points.BREAK)


def tbreak(session: Session, text: str) -> str:
    if not text:
        raise CommandError("`tbreak` needs a place", "usage: tbreak LOC [if EXPR]")
    return _add(session, text, points.BREAK, once=True)


def watch(session: Session, text: str) -> str:
    if not text:
        raise CommandError("`watch` needs an address", "usage: watch ADDR|FROM..TO|EXPR [if EXPR]")
    what, condition = arguments.conditional(text)
    if "[" not in what:
        return _add(session, text, points.WATCH)
    session.evaluate(what)
    if condition is not None:
        session.evaluate(condition)
    return str(session.add_point(points.VALUE, what, condition=condition))


def rwatch(session: Session, text: str) -> str:
    if not text:
        raise CommandError("`rwatch` needs an address", "usage: rwatch ADDR|FROM..TO [if EXPR]")
    return _add(session, text, points.READ)


def ignore(session: Session, text: str) -> str:
    number, _, count = text.partition(" ")
    if not count.strip():
        raise CommandError("`ignore` needs the number of a stop, and how many hits to ignore", "usage: ignore N COUNT")
    point = session.point(number)
    if point.kind in (points.MARGIN, points.DIVERGENCE):
        raise CommandError(f"a stop at a {point.kind} is never ignored", "`delete` takes it away")
    point.ignored = arguments.count(session, count.strip(), 0)
    session.points_changed()
    return f"{point}, not before {rendering.counted(point.ignored, 'hit')} more" if point.ignored else str(point)


def condition(session: Session, text: str) -> str:
    number, _, expression = text.partition(" ")
    if not number:
        raise CommandError("`condition` needs the number of a stop", "usage: condition N [EXPR]")
    point, expression = session.point(number), expression.strip()
    if point.kind in (points.MARGIN, points.DIVERGENCE):
        raise CommandError(f"a stop at a {point.kind} has no condition", "`delete` takes it away")
    if expression:
        session.evaluate(expression)
    point.condition = expression or None
    session.points_changed()
    return str(point)


def disable(session: Session, text: str) -> str:
    return _enabled(session, text, False)


def enable(session: Session, text: str) -> str:
    return _enabled(session, text, True)


def _enabled(session: Session, text: str, enabled: bool) -> str:
    name = "enable" if enabled else "disable"
    if not text:
        raise CommandError(f"`{name}` needs the number of a stop, or `all`", "`info` lists them")
    if text == "all":
        chosen = [point for point in session.points if point.kind != points.DIVERGENCE]
    else:
        chosen = [session.point(text)]
        if chosen[0].kind == points.DIVERGENCE:
            raise CommandError(f"a stop at a divergence cannot be {name}d", "`delete` takes it away")
    for point in chosen:
        point.enabled = enabled
    session.points_changed()
    return "\n".join(str(point) for point in chosen) or f"there is nothing to {name}"


def commands(session: Session, text: str) -> str:
    number, _, given = text.partition(" ")
    point = session.point(number or points.LAST)
    if point.kind == points.DIVERGENCE:
        raise CommandError("a stop at a divergence has no commands: the run is over there")
    if given.strip():
        return _given(point, [each.strip() for each in given.split(";")])
    session.collecting = Collecting(point, [])
    return f"the commands for {point}, one a line; `end` ends them"


def collect(session: Session, collecting: Collecting, line: str) -> str:
    """Take in one line of what `commands` began."""
    if line != "end":
        if line:
            collecting.lines.append(line)
        return ""
    session.collecting = None
    return _given(collecting.point, collecting.lines)


def _given(point: points.StopPoint, lines: list[str]) -> str:
    point.commands = tuple(line for line in lines if line not in ("", "end"))
    if not point.commands:
        return f"{point}, without commands"
    return f"{point}, then {'; '.join(point.commands)}"


def delete(session: Session, text: str) -> str:
    if text == "all":
        kept = [point for point in session.points if point.kind == points.DIVERGENCE]
        for point in [point for point in session.points if point not in kept]:
            session.delete_point(point.number)
        return "nothing is stopped at any more" + (" but divergence" if kept else "")
    if text == points.DIVERGENCE:
        text = next((str(point.number) for point in session.points if point.kind == points.DIVERGENCE), "")
        if not text:
            return "divergence is not stopped at"  # no error: what `save` wrote may be carried out twice
    if text != points.LAST and not re.fullmatch("[0-9]{1,9}", text):
        raise CommandError("`delete` needs the number of a stop, `divergence` or `all`", "`info` lists them")
    was_checking = session.checks
    number = session.point(text).number
    session.delete_point(number)
    if was_checking and not session.checks:
        return f"{number} is deleted: steps are not compared with the reference from here on"
    return f"{number} is deleted"


def info(session: Session, text: str) -> str:
    if text in ("registers", "reg", "r"):
        return _registers(session)
    if text in ("frame", "f"):
        return _frame(session)
    if text not in ("", "break", "breakpoints", "b", "watch"):
        raise CommandError(f"there is no `info {text}`", "usage: info, info break, info registers, info frame")
    lines = []
    for point in session.points:
        hits = f", {rendering.counted(point.hits, 'time')} so far" if point.hits else ""
        ignored = f", not before {rendering.counted(point.ignored, 'hit')} more" if point.ignored else ""
        lines.append(f"{point}{hits}{ignored}")
        lines += [f"     {line}" for line in point.commands]
    if text:
        return "\n".join(lines) or "nothing is stopped at"
    lines += [f"display {number}: {expression}" for number, expression in enumerate(session.displays, 1)]
    lines.append(f"trace {'on' if session.tracing else 'off'}")
    if session.comparison is not None:
        lines.append(f"both: {session.unit.name} and {session.comparison.unit.name}")
    return "\n".join(lines)


def _registers(session: Session) -> str:
    present = session.present
    rows = [
        ("$pc", rendering.place(session, present.pc) + (", halted" if session.has_halted else "")),
        ("$step", f"{present.step:,} of {session.history.end:,} recorded"),
        ("input", f"{present.input_position:,} of {len(present.input):,} bytes read"),
        ("output", f"{rendering.counted(len(present.output), 'byte')} written"),
    ]
    return table(rows).rstrip("\n")


def _frame(session: Session) -> str:
    if session.has_halted:
        raise CommandError("the machine has halted: nothing leads to where it stands")
    entry = standing.backtrace(session)[session.chosen]
    rows = [("line", f"{entry.origin.file}:{entry.origin.line}: {rendering.statement(entry.origin.text)}")]
    if entry.call is not None:
        rows.append(
            ("in the expansion of", f"{entry.call.file}:{entry.call.line}: {rendering.statement(entry.call.text)}")
        )
    if entry.frame is None:
        rows.append(("routine", "none: the program itself"))
    else:
        call = session.source.path(entry.frame.call)[0]
        rows += [
            ("routine", standing.routine(session, entry.frame)),
            ("called at", f"{call.file}:{call.line}: {rendering.statement(call.text)}"),
            ("returns to", rendering.place(session, entry.frame.returns)),
            ("open calls", f"{entry.frame.depth:,}"),
        ]
    return table(rows).rstrip("\n")


def _floor(text: str) -> float:
    try:
        floor = float(text)
    except ValueError:
        floor = math.nan
    if math.isnan(floor):
        raise CommandError(f"`{text}` is not a number", "usage: break margin < NUMBER")
    return floor


def _add(session: Session, text: str, kind: str, once: bool = False) -> str:
    what, condition = arguments.conditional(text)
    if kind == points.BREAK:
        address = last = arguments.place(session, what)
    else:
        address, last = arguments.places(session, what)
    if condition is not None:
        session.evaluate(condition)
    if any(arguments.depends_on_machine(session, each) for each in what.split("..")):
        what = str(address) if address == last else f"{address}..{last}"  # for `save` and `reload`, which come later
    return str(session.add_point(kind, what, address=address, last=last, condition=condition, once=once))
