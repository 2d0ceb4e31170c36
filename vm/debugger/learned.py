"""The commands that look at what computes: each prediction of a step, other units, two units side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vm.console.terminal import table
from vm.debugger import arguments, rendering
from vm.debugger.errors import CommandError
from vm.debugger.session import Session
from vm.margin import format_margin

if TYPE_CHECKING:
    from learned_units.unit import Decision, Unit

BAR_CELLS = 8  # on each side of the threshold
CELLS_A_MARGIN = 4  # cells that stand for a margin of 1, the nominal one


def explain(session: Session, text: str) -> str:
    if text:
        parts = text.split(",") if "," in text else text.split()
        if len(parts) != 2:
            raise CommandError("`explain` takes two values or none", "usage: explain [A B], or A, B for expressions")
        a, b = (arguments.word(session, part) for part in parts)
        case, head = (a, b, session.console, 3), f"{rendering.number(session, a)} - {rendering.number(session, b)}"
    else:
        last = session.last_step()
        if last is None:
            raise CommandError("no step was executed yet", "`explain A B` explains A - B")
        head = rendering.step_line(session, last)
        if session.console in (last.a, last.b):
            return f"{head}\na console instruction moves a byte: nothing is computed"
        case = (last.minuend, last.subtrahend, last.c, (last.pc + 3) & session.console)
    decisions = session.unit.explain(*case)
    result = session.unit.subtract_branch(*case)
    closing = (
        f"{session.unit.name}: difference {rendering.number(session, int(result.difference))}, "
        f"next pc {rendering.number(session, int(result.next_pc))}"
    )
    if not decisions:
        return f"{head}\n{closing}; nothing is predicted in native arithmetic"
    from learned_units.unit import weakness

    weak = min(decisions, key=lambda each: weakness(each.margin))
    margin = format_margin(weak.margin, digits=3)
    return (
        f"{head}\n{_decisions(decisions)}\n{closing}; smallest margin {margin}: pass {weak.stage} "
        f"({weak.network}), {weak.output} at bit {weak.bit}"
    )


def unit(session: Session, text: str) -> str:
    if not text:
        return f"{session.unit.name}: {session.unit.scope.sentence}"
    chosen = _unit(session, text)
    dropped = session.change_unit(chosen)
    session.comparison = None
    forgotten = f"; forgotten: {rendering.counted(dropped, 'recorded step')} ahead" if dropped else ""
    return f"{chosen.name} computes from step {session.present.step:,} on ({chosen.scope.step_kind}){forgotten}"


def both(session: Session, text: str) -> str:
    if text == "off":
        session.comparison = None
        return f"{session.unit.name} computes alone"
    if not text:
        if session.comparison is None:
            raise CommandError("no second unit runs beside the first", "usage: both NAME")
        return (
            f"{session.unit.name} and {session.comparison.unit.name} agree on {session.comparison.steps:,} steps so far"
        )
    from vm.debugger.comparison import Comparison

    second = _unit(session, text)
    session.comparison = Comparison(session.image, second, session.unit.name)
    return f"{session.unit.name} and {second.name} compute side by side; a run stops where they differ"


def _unit(session: Session, name: str) -> Unit:
    if session.load_unit is None:
        raise CommandError("this session has one unit only")
    try:
        return session.load_unit(name)
    except ValueError as error:
        raise CommandError(str(error)) from None


def _decisions(decisions: list[Decision]) -> str:
    """One row a decision, the passes apart; the bar leaves the threshold `|` to the side the prediction is on."""
    rows = [("bit", "output", "matched", "prediction", "threshold", "below | above", "value", "margin")]
    for each in decisions:
        rows.append(
            (
                str(each.bit),
                each.output,
                str(each.matched),
                f"{each.prediction:.4f}",
                f"{each.threshold:.4f}",
                bar(each),
                str(each.value),
                format_margin(each.margin, digits=3),
            )
        )
    head, *lines = table(rows, right=(0, 2, 3, 4, 6, 7)).splitlines()
    shown, stage = [head], None
    for said, each in zip(lines, decisions, strict=True):
        if each.stage != stage:
            shown.append(f"pass {each.stage}, {each.network}")
            stage = each.stage
        shown.append(said)
    return "\n".join(shown)


def bar(decision: Decision) -> str:
    """A margin drawn from the threshold, to the right where the prediction is above it."""
    margin = 0.0 if math.isnan(decision.margin) else decision.margin
    cells = min(BAR_CELLS, max(1 if margin > 0 else 0, round(margin * CELLS_A_MARGIN)))
    if decision.prediction > decision.threshold:
        return " " * BAR_CELLS + "|" + "#" * cells + " " * (BAR_CELLS - cells)
    return " " * (BAR_CELLS - cells) + "#" * cells + "|" + " " * BAR_CELLS
