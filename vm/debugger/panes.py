"""What the full screen shows of a session, as lines of text: source, memory, margins, output."""

from __future__ import annotations

import math

from vm.debugger import points, rendering, standing
from vm.debugger.session import Session
from vm.margin import format_margin

MARGIN_CELLS = 20  # of a bar; a margin of 1 fills half of it
ADDRESS_WIDTH, WORD_WIDTH = 6, 8


def source(session: Session, rows: int) -> list[str]:
    """The source around pc; without one, the instructions from pc on. => is pc, * a breakpoint."""
    pc = session.present.pc
    if session.has_halted or pc >= session.size:
        return ["halted"]
    breaks = {point.address for point in session.points if point.kind == points.BREAK}
    origin = standing.looked_at(session)
    if origin is None:
        return [
            f"{_mark(at, pc, breaks)} {rendering.place(session, at):<12} {rendering.instruction_at(session, at)}"
            for at in range(pc, min(pc + 3 * rows, session.size - 2), 3)
        ]
    lines = session.source_lines(origin.file)
    paths = [session.source.path(at) for at in breaks]
    broken = {each.line for path in paths for each in path if each.file == origin.file}
    numbers = sorted(lines)
    at = numbers.index(origin.line)
    first = max(0, min(at - rows // 2, len(numbers) - rows))
    shown = []
    for number in numbers[first : first + rows]:
        mark = "=>" if number == origin.line else "* " if number in broken else "  "
        shown.append(f"{mark} {number:>4}  {lines[number]}".rstrip())
    return shown


def memory(session: Session, start: int, rows: int, columns: int) -> list[str]:
    """Words from an address on; the one that the last step wrote stands in brackets."""
    last = session.last_step()
    written = last.address if last is not None else None
    lines = []
    for first in range(start, min(start + rows * columns, session.size), columns):
        cells = []
        for at in range(first, min(first + columns, session.size)):
            word = rendering.number(session, int(session.present.memory[at]))
            cells.append(f"[{word}]" if at == written else f" {word} ")
        lines.append(f"{first:>{ADDRESS_WIDTH}} " + "".join(f"{cell:>{WORD_WIDTH}}" for cell in cells))
    return lines


def margins(session: Session, rows: int) -> list[str]:
    """The last steps, each with its margin as a bar."""
    return [
        f"{step.step:>8,} {_bar(step.margin):<{MARGIN_CELLS}} {format_margin(step.margin):>5}  "
        f"{rendering.instruction(session, step.pc, step.a, step.b, step.c)}"
        for step in session.history.accounts(session.present, rows)
    ]


def output(session: Session, rows: int) -> list[str]:
    """The last lines that the program has written."""
    text = bytes(session.present.output[-4096:]).decode("utf-8", "replace")
    shown = ["".join(c if c.isprintable() else " " for c in line) for line in text.split("\n")]
    return shown[-rows - 1 : -1] if shown[-1] == "" and len(shown) > 1 else shown[-rows:]


def _mark(at: int, pc: int, breaks: set[int]) -> str:
    return "=>" if at == pc else "* " if at in breaks else "  "


def _bar(margin: float) -> str:
    if math.isinf(margin) or math.isnan(margin):
        return ""
    return "#" * max(0, min(MARGIN_CELLS, round(margin * MARGIN_CELLS / 2)))
