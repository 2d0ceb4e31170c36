"""The commands that look: at expressions, memory, source, and what happened."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np

from assembler.image import signed
from vm.console.terminal import table
from vm.debugger import arguments, points, rendering
from vm.debugger.errors import CommandError
from vm.debugger.moving import displayed
from vm.debugger.session import Session
from vm.margin import format_margin

INSTRUCTIONS = 8
FOUND_ROWS = 20
MAX_ROWS = 10_000  # printed by one command
_FORMAT = re.compile(r"(?P<count>[0-9]{0,30})(?P<kind>[dxuic]?)")
_PER_ROW = {"d": 8, "u": 8, "x": 8, "c": 64, "i": 1}


def print_(session: Session, text: str) -> str:
    value = session.evaluate(text)
    shown = [str(value)]
    if 9 < value <= session.console:
        shown.append(f"0x{value:X}")
    if 32 <= value < 127:
        shown.append(repr(chr(value)))
    if value >> (session.word_bits - 1) == 1:
        shown.append(f"as a word {signed(value, session.word_bits)}")
    line = f"{text.strip()} = {', '.join(shown)}"
    is_label = text.strip() in session.symbols and text.strip() not in session.image.constants
    if is_label and 0 <= value < session.size and value != session.console:
        line += f"; [{text.strip()}] = {rendering.both(session, int(session.present.memory[value]))}"
    return line


def examine(session: Session, text: str) -> str:
    match = re.match(r"/(?P<format>\S*)\s*", text)
    where = text[match.end() :] if match else text
    last = session.examined
    format = match["format"] if match else last[1] if last is not None and not where else ""
    chosen = _FORMAT.fullmatch(format)
    if chosen is None or (not where and last is None):
        raise CommandError("this is no format and address", "usage: x/[COUNT][d|u|x|c|i] ADDR, for example x/8d table")
    kind = chosen["kind"] or "d"
    count = int(chosen["count"] or (INSTRUCTIONS if kind == "i" else _PER_ROW[kind]))
    where, *by = re.split(r"\sby\s", where)
    if where or last is None:
        start = arguments.place(session, where)
        stride = arguments.count(session, by[0], 1) if by else 1
    else:
        start, stride = arguments.place(session, str(last[0])), last[2]
    if not 1 <= count <= MAX_ROWS:
        raise CommandError(f"the count must be 1 … {MAX_ROWS:,}, not {count:,}")
    if kind == "i":
        said = "\n".join(instructions(session, start, count))
        session.examined = start + 3 * count, format, stride
        return said
    if not stride or len(by) > 1:
        raise CommandError("the distance of the words is a number above 0", "usage: x/8d table by 3")
    words = session.present.memory[start : start + count * stride : stride].tolist()
    shown = _WRITTEN[kind]
    rows = []
    for first in range(0, len(words), _PER_ROW[kind]):
        part = words[first : first + _PER_ROW[kind]]
        cells = [shown(session, word) for word in part]
        said = "'" + "".join(cells) + "'" if kind == "c" else " ".join(f"{cell:>{_width(session)}}" for cell in cells)
        rows.append((rendering.place(session, start + first * stride), said))
    session.examined = start + count * stride, format, stride
    return table(rows).rstrip("\n")


def find(session: Session, text: str) -> str:
    if not text:
        raise CommandError("`find` needs a value", "usage: find VALUE [in FROM..TO]")
    value, *within = re.split(r"\sin\s", text)
    word = arguments.word(session, value)
    start, end = arguments.places(session, within[0]) if within else (0, session.size - 1)
    found = (start + np.flatnonzero(session.present.memory[start : end + 1] == word)).tolist()
    if not found:
        return f"no word from {start} to {end} is {rendering.both(session, word)}"
    rows = [(rendering.place(session, at), rendering.line(session, at)) for at in found[:FOUND_ROWS]]
    more = f"\n(and {len(found) - FOUND_ROWS:,} more)" if len(found) > FOUND_ROWS else ""
    return table(rows).rstrip("\n") + more


def display(session: Session, text: str) -> str:
    if text:
        session.evaluate(text)
        session.displays.append(text)
    return "\n".join(displayed(session)) or "nothing is displayed; `display EXPR` adds to it"


def undisplay(session: Session, text: str) -> str:
    if not text or text == "all":
        session.displays.clear()
        return "nothing is displayed any more"
    if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= len(session.displays):
        raise CommandError(f"there is no display {text}", "`info` lists them")
    return f"`{session.displays.pop(int(text) - 1)}` is not displayed any more"


def disassemble(session: Session, text: str) -> str:
    where, _, count = text.partition(",")
    if not where.strip() and session.has_halted:
        raise CommandError("the machine has halted: there is no instruction at pc", "usage: disassemble LOC")
    start = arguments.place(session, where) if where.strip() else session.present.pc
    rows = arguments.count(session, count.strip(), INSTRUCTIONS)
    return "\n".join(instructions(session, start, min(rows, MAX_ROWS)))


def symbols(session: Session, text: str) -> str:
    names = sorted((value, name) for name, value in session.symbols.items() if text.lower() in name.lower())
    if not names:
        raise CommandError(f"no symbol has `{text}` in its name" if text else "the program has no symbols")
    rows = []
    for value, name in names[:MAX_ROWS]:
        is_constant = name in session.image.constants
        holds = "constant"
        if not is_constant and 0 <= value < min(session.size, session.console):
            holds = f"[{value}] = {rendering.both(session, int(session.present.memory[value]))}"
        rows.append((str(value), name, holds))
    return table(rows, right=(0,)).rstrip("\n")


def memory(session: Session, text: str) -> str:
    if not text:
        session.memory_place = None
        return "the memory pane follows the word that is written"
    address = arguments.place(session, text)
    session.memory_place = text
    return f"the memory pane begins at {rendering.place(session, address)}"


def trace(session: Session, text: str) -> str:
    if text not in ("on", "off"):
        raise CommandError("`trace` is switched `on` or `off`", f"it is {'on' if session.tracing else 'off'}")
    session.tracing = text == "on"
    return f"trace {text}: executed steps are {'listed' if session.tracing else 'not listed'}"


def history(session: Session, text: str) -> str:
    count = min(arguments.count(session, text, 10), MAX_ROWS)
    kept = session.history
    accounts = kept.accounts(session.present, count)
    first = accounts[0].step if accounts else session.present.step
    entries = [(each.step, 1, rendering.step_line(session, each)) for each in accounts]
    entries += [
        (edit.step, 0, f"{edit.step:,}  by hand: {edit.text}")
        for edit in kept.edits
        if first <= edit.step <= session.present.step
    ]
    lines = [said for _, _, said in sorted(entries, key=lambda entry: entry[:2])]
    lines.append(f"steps {kept.first:,} to {kept.end:,} are kept; this is step {session.present.step:,}")
    return "\n".join(lines)


def profile(session: Session, text: str) -> str:
    count = arguments.count(session, text, 10)
    counts = np.zeros(session.size, np.int64)
    for _, piece in session.history.slices(session.history.first, session.present.step):
        counts += np.bincount(piece.pcs, minlength=session.size)
    total = int(counts.sum())
    if not total:
        raise CommandError("no step was executed yet", "`continue` runs the program")
    hottest = np.argsort(-counts, kind="stable")[:count]
    rows = [("steps", "share", "pc", "instruction", "source")]
    for pc in hottest.tolist():
        if counts[pc]:
            said = rendering.instruction_at(session, pc)
            rows.append(
                (
                    f"{counts[pc]:,}",
                    _share(int(counts[pc]), total),
                    rendering.place(session, pc),
                    said,
                    rendering.line(session, pc),
                )
            )
    shown = table(rows, right=(0, 1))
    lines = _counted_lines(session)
    if lines:
        hot = sorted(lines.items(), key=lambda item: -item[1])[:count]
        shown += "\n" + table(
            [("steps", "share", "line", ""), *((f"{n:,}", _share(n, total), *said) for said, n in hot)], right=(0, 1)
        )
    return shown.rstrip("\n")


def _counted_lines(session: Session) -> dict[tuple[str, str], int]:
    """The steps of each line of the program: of its instructions, its macros, and what these share."""
    source, present = session.source, session.present
    counts = np.zeros(session.size, np.int64)
    last = -1  # the last instruction that is not shared: what follows is executed on its behalf
    for _, piece in session.history.slices(session.history.first, present.step):
        own = np.where(source.shared[piece.pcs], -1, np.arange(len(piece.pcs)))
        behind = np.maximum.accumulate(own)
        counts += np.bincount(piece.pcs[behind[behind >= 0]], minlength=session.size)
        if last >= 0:
            counts[last] += int((behind < 0).sum())
        last = int(piece.pcs[behind[-1]]) if behind[-1] >= 0 else last
    lines: dict[tuple[str, str], int] = {}
    for pc in np.flatnonzero(counts).tolist():
        path = source.path(pc)
        if path:
            said = f"{path[0].file}:{path[0].line}", rendering.statement(path[0].text)
            lines[said] = lines.get(said, 0) + int(counts[pc])
    return lines


def stats(session: Session, text: str) -> str:
    arguments.nothing(text, "stats")
    present, kept = session.present, session.history
    console, margin, weakest = 0, math.inf, None
    for first, piece in kept.slices(kept.first, present.step):
        console += int(kept.is_console(piece.addresses).sum())
        least = int(np.argmin(piece.margins))
        if piece.margins[least] < margin:
            margin, weakest = float(piece.margins[least]), first + least
    at = "" if weakest is None else f" at step {weakest:,}"
    rows = [
        ("steps", f"{present.step:,}, of which {present.step - kept.first:,} are kept"),
        ("ahead", rendering.counted(kept.end - present.step, "recorded step")),
        ("changes", f"{sum(edit.step <= present.step for edit in kept.edits):,} by hand"),
        ("output", f"{rendering.counted(len(present.output), 'byte')} written"),
        (
            "input",
            f"{present.input_position:,} of {len(present.input):,} bytes read"
            f"{', then the end' if present.input_ended else ''}",
        ),
        ("unit", f"{session.unit.name}, {session.word_bits}-bit {session.unit.isa}: {session.unit.detail or '-'}"),
        ("units so far", ", ".join(f"{name} from step {step:,}" for step, name in session.units)),
        ("lockstep", "every step compared with the reference" if session.checks else "off"),
        ("smallest margin", f"{format_margin(margin, digits=4)}{at}"),
        ("last run", f"{session.ran:,} steps computed in {session.seconds:.2f} s"),
        ("memory", f"{session.size:,} words"),
    ]
    if session.comparison is not None:
        compared = session.comparison
        rows.append(("both", f"{session.unit.name} and {compared.unit.name} agree on {compared.steps:,} steps"))
    return table(rows).rstrip("\n")


def instructions(session: Session, start: int, count: int) -> list[str]:
    """Instructions in memory, one after the other; => is pc, * a breakpoint."""
    breaks = {point.address for point in session.points if point.enabled and point.kind == points.BREAK}
    rows = []
    for pc in range(start, min(start + 3 * count, session.size - 2), 3):
        mark = "=>" if pc == session.present.pc else "* " if pc in breaks else "  "
        rows.append(
            (mark, rendering.place(session, pc), rendering.instruction_at(session, pc), rendering.line(session, pc))
        )
    if not rows:
        raise CommandError(f"there is no room for an instruction at {start}")
    return table(rows).rstrip("\n").splitlines()


def _share(part: int, total: int) -> str:
    return f"{100 * part / total:.1f}%"


def _width(session: Session) -> int:
    return len(str(-1 << min(session.word_bits, 20) - 1))


def _character(session: Session, word: int) -> str:
    if 32 <= word < 127:
        return chr(word)
    return {10: "\\n", 9: "\\t", 13: "\\r", 0: "\\0"}.get(word, ".")


_WRITTEN: dict[str, Callable[[Session, int], str]] = {
    "d": rendering.number,
    "u": lambda session, word: str(word),
    "x": lambda session, word: f"{word:0{-(-session.word_bits // 4)}X}",
    "c": _character,
}
