"""The commands that say where to stop."""

from __future__ import annotations

import math
import re

from vm.debugger import arguments, points, rendering
from vm.debugger.errors import CommandError
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
        raise CommandError("`watch` needs an address", "usage: watch ADDR|LABEL [if EXPR]")
    return _add(session, text, points.WATCH)


def delete(session: Session, text: str) -> str:
    if text == "all":
        kept = [point for point in session.points if point.kind == points.DIVERGENCE]
        for point in [point for point in session.points if point not in kept]:
            session.delete_point(point.number)
        return "nothing is stopped at any more" + (" but divergence" if kept else "")
    if not re.fullmatch("[0-9]{1,9}", text):
        raise CommandError("`delete` needs the number of a stop, or `all`", "`info` lists them")
    was_checking = session.checks
    session.delete_point(int(text))
    if was_checking and not session.checks:
        return f"{text} is deleted: steps are not compared with the reference from here on"
    return f"{text} is deleted"


def info(session: Session, text: str) -> str:
    arguments.nothing(text, "info")
    lines = []
    for point in session.points:
        hits = f", {rendering.counted(point.hits, 'time')} so far" if point.hits else ""
        lines.append(f"{point}{hits}")
    lines += [f"display {number}: {expression}" for number, expression in enumerate(session.displays, 1)]
    lines.append(f"trace {'on' if session.tracing else 'off'}")
    if session.comparison is not None:
        lines.append(f"both: {session.unit.name} and {session.comparison.unit.name}")
    return "\n".join(lines)


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
    address = arguments.place(session, what)
    if condition is not None:
        session.evaluate(condition)
    return str(session.add_point(kind, what, address=address, condition=condition, once=once))
