"""What the full screen shows of a session, as lines of text: source, memory, margins, output."""

from __future__ import annotations

import contextlib
import math
import re
import textwrap

import numpy as np

from vm.debugger import arguments, points, rendering, standing
from vm.debugger.errors import CommandError
from vm.debugger.session import Session
from vm.margin import format_margin

MARGIN_CELLS = 20  # of a bar; a margin of 1 fills half of it
NARROW_CELLS = 8  # of a bar on a narrow screen
ADDRESS_WIDTH = 6
HALTED = "■ "
_NUMBERED = re.compile(r"(?:\* |  ) +\d+  ")  # what stands before a line of the source
Line = list[tuple[str, str]]  # pieces of text, each with its style


def source(session: Session, rows: int) -> list[str]:
    """The source around pc, or, once that is outside, around the last step; where there is none, the instructions.

    => is pc, ■ the last step, * a breakpoint.
    """
    pc, mark = session.present.pc, "=>"
    if session.has_halted or pc >= session.size:
        last = session.last_step()
        if last is None:
            return ["halted"]
        pc, mark = last.pc, HALTED
        origin = next(iter(standing.at_step(session, last.step, pc).path), None)
    else:
        origin = standing.looked_at(session)
    breaks = {point.address: "* " for point in session.points if point.enabled and point.kind == points.BREAK}
    if origin is None:
        marks = breaks | {pc: mark}
        return [
            f"{marks.get(at, '  ')} {rendering.place(session, at):<12} {rendering.instruction_at(session, at)}"
            for at in range(pc, min(pc + 3 * rows, session.size - 2), 3)
        ]
    lines = rendering.source_lines(session, origin.file)
    paths = [session.source.path(at) for at in breaks]
    marks = {each.line: "* " for path in paths for each in path if each.file == origin.file} | {origin.line: mark}
    numbers = sorted(lines)
    at = numbers.index(origin.line)
    first = max(0, min(at - rows // 2, len(numbers) - rows))
    return [
        f"{marks.get(number, '  ')} {number:>4}  {lines[number]}".rstrip() for number in numbers[first : first + rows]
    ]


def painted(line: str) -> Line:
    """A line of the source pane with its colours; the one where the machine stands, or has halted, stands out."""
    numbered = _NUMBERED.match(line)
    if line.startswith(("=>", HALTED)):
        return [("class:current", line)]
    if numbered is None:
        return [("", line)]
    from prompt_toolkit.styles.pygments import pygments_token_to_classname

    from vm.editors.pygments_lexer import SbnLexer

    tokens = SbnLexer(stripnl=False, ensurenl=False).get_tokens(line[numbered.end() :])
    return [
        ("class:number", numbered[0]),
        *((f"class:{pygments_token_to_classname(kind)}", text) for kind, text in tokens),
    ]


def memory(session: Session, start: int, rows: int, columns: int, before: np.ndarray | None = None) -> list[Line]:
    """Words from an address on; the one that the last step wrote stands in brackets.

    before: the memory at the last stop; the words that have changed since stand out.
    """
    last, now = session.last_step(), session.present.memory
    written = last.address if last is not None else None
    lines: list[Line] = []
    for first in range(start, min(start + rows * columns, session.size), columns):
        line: Line = [("class:number", f"{first:>{ADDRESS_WIDTH}} ")]
        for at in range(first, min(first + columns, session.size)):
            word = rendering.number(session, int(now[at]))
            cell = f"[{word}]" if at == written else f" {word} "
            has_changed = before is not None and now[at] != before[at]
            line.append(("", " " * (word_width(session) - len(cell))))
            line.append(("class:changed" if has_changed else "", cell))
        lines.append(line)
    return lines


def word_width(session: Session) -> int:
    """Columns of a word in the memory pane: the longest one, and brackets."""
    return len(rendering.number(session, 1 << (session.word_bits - 1))) + 2


def shown_from(session: Session, start: int, rows: int, columns: int) -> int:
    """Where the memory pane begins, so that it shows what was asked for, or else the word written last."""
    if session.memory_place is not None:
        with contextlib.suppress(CommandError):  # a label that a changed program has lost
            return arguments.place(session, session.memory_place)
    last = session.last_step()
    if last is None or last.address == session.console or start <= last.address < start + rows * columns:
        return start
    return max(0, last.address // columns - rows // 2) * columns


def margins(session: Session, rows: int, cells: int = MARGIN_CELLS) -> list[str]:
    """The last steps, each with its margin as a bar of up to so many cells."""
    return [
        f"{step.step:>8,} {_bar(step.margin, cells):<{cells}} {format_margin(step.margin):>5}  "
        f"{rendering.instruction(session, step.pc, step.a, step.b, step.c)}"
        for step in session.history.accounts(session.present, rows)
    ]


def divergence(session: Session, columns: int) -> list[str]:
    """What the unit and the reference made of the step that comes next, where they differ; the step stands above."""
    found = session.machine.divergence
    said = found.report.splitlines() if found is not None else []
    said = [line.strip() for line in said[1:]] or said
    return [part for line in said for part in textwrap.wrap(line, columns, subsequent_indent="  ")]


def output(session: Session, rows: int) -> list[str]:
    """The last lines that the program has written."""
    text = bytes(session.present.output[-4096:]).decode("utf-8", "replace")
    shown = ["".join(c if c.isprintable() else " " for c in line) for line in text.split("\n")]
    return shown[-rows - 1 : -1] if shown[-1] == "" and len(shown) > 1 else shown[-rows:]


def _bar(margin: float, cells: int) -> str:
    if math.isinf(margin) or math.isnan(margin):
        return ""
    return "#" * max(0, min(cells, round(margin * cells / 2)))
