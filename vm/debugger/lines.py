"""The commands that look at the source: at the line of the program, what it is made of, and what leads to it."""

from __future__ import annotations

import re

from assembler import Origin
from vm.console.terminal import table
from vm.debugger import arguments, looking, rendering
from vm.debugger.errors import CommandError
from vm.debugger.session import Session
from vm.debugger.standing import Entry, backtrace, looked_at, routine, standing

LIST_LINES = 11
BACKTRACE_LINES = 20
UNFOLDED_LINES = 200
_PLACE = re.compile(r"(?P<file>[^\s:]*):(?P<line>[0-9]+)")
_DATA = re.compile(r"\.(?:word|ascii|asciz|space)\b", re.IGNORECASE)


def list_(session: Session, text: str) -> str:
    if not text and session.has_halted:
        raise CommandError("the machine has halted: there is no line at pc", "usage: list LOC")
    shown = looked_at(session) if session.present.pc < session.size else None
    if text:
        address = arguments.place(session, text)
        origin = _line_at(session, text, address)
    else:
        address, origin = session.present.pc, shown
    if origin is None:
        return "\n".join(looking.instructions(session, address, looking.INSTRUCTIONS))
    lines = rendering.source_lines(session, origin.file)
    current = shown.line if shown is not None and shown.file == origin.file else None
    rows = [f"{origin.file}:"]
    for number in sorted(lines):
        if abs(number - origin.line) <= LIST_LINES // 2:
            rows.append(f"{'=>' if number == current else '  '} {number:>5}  {session.painted(lines[number])}".rstrip())
    return "\n".join(rows)


def _line_at(session: Session, text: str, address: int) -> Origin | None:
    """The line of the program at an address; where FILE:LINE was asked for, the line of that file."""
    path = session.path(address)
    named = _PLACE.fullmatch(text)
    if named is not None and named["file"]:
        return next((each for each in path if each.file.endswith(named["file"])), None)
    return path[0] if path else None


def where(session: Session, text: str) -> str:
    arguments.nothing(text, "where")
    lines = [f"step {rendering.location(session)}"]
    path = standing(session).path
    if len(path) == 1:
        lines.append(rendering.current(session, path[0]))
    lines += [
        f"{'  ' * level}  {each.file}:{each.line}: {each.text.strip()}" for level, each in enumerate(path) if level
    ]
    if not path and not session.has_halted:
        lines.append("  no source line made this word")
    later = session.history.end - session.present.step
    if later:
        lines.append(f"  recorded ahead: {rendering.counted(later, 'step')}")
    return "\n".join(lines)


def bt(session: Session, text: str) -> str:
    count = arguments.count(session, text, BACKTRACE_LINES)
    entries = _entries(session)
    rows = [_entry(session, number, entry) for number, entry in enumerate(entries[:count])]
    lines = table(rows).splitlines() if rows else []
    if len(entries) > count:
        lines.append(f"(and {len(entries) - count:,} more: `bt {len(entries)}` shows all)")
    first = session.history.first
    if first:
        lines.append(f"(a call before step {first:,} is not known: the history begins there)")
    return "\n".join(lines)


def frame(session: Session, text: str) -> str:
    entries = _entries(session)
    number = arguments.count(session, text, session.chosen)
    if number >= len(entries):
        raise CommandError(f"there is no frame {number}: the outermost is {len(entries) - 1}", "`bt` lists them")
    session.chosen = number
    return (
        f"{'  '.join(_entry(session, number, entries[number]))}\n{rendering.current(session, entries[number].origin)}"
    )


def up(session: Session, text: str) -> str:
    count, last = arguments.count(session, text, 1), len(_entries(session)) - 1
    if session.chosen == last:
        raise CommandError("this is the outermost frame already")
    return frame(session, str(min(session.chosen + count, last)))


def down(session: Session, text: str) -> str:
    count = arguments.count(session, text, 1)
    if not session.chosen:
        raise CommandError("this is the innermost frame already", "`step in` looks into an expansion")
    return frame(session, str(max(session.chosen - count, 0)))


def unfold(session: Session, text: str) -> str:
    if not text and session.has_halted:
        raise CommandError("the machine has halted: there is no line at pc", "usage: unfold LOC")
    source = session.source
    if text:
        address = arguments.place(session, text)
    else:
        address = standing(session).entered
    path = source.path(address)
    if not path:
        raise CommandError(f"no source line made the word at {address}")
    lines = [f"{path[0].line}  {path[0].text.strip()}"]
    above: tuple[Origin, ...] = path[:1]
    for at, each in source.statement_words(address):
        shared = next(
            (k for k, (a, b) in enumerate(zip(above, each, strict=False)) if a != b), min(len(above), len(each))
        )
        for level in range(max(shared, 1), len(each) - 1):
            lines.append(
                f"{'  ' * level}   {each[level].file}:{each[level].line}: {rendering.statement(each[level].text)}"
            )
        above = each[:-1]
        mark = "=>" if at == session.present.pc else "  "
        is_data = _DATA.match(rendering.statement(each[-1].text))
        said = rendering.statement(each[-1].text) if is_data else rendering.instruction_at(session, at)
        lines.append(f"{mark}{'  ' * len(each)} {at}  {said}")
    if len(lines) > UNFOLDED_LINES:
        lines[UNFOLDED_LINES:] = [f"(and {len(lines) - UNFOLDED_LINES:,} more lines)"]
    return "\n".join(lines)


def _entries(session: Session) -> list[Entry]:
    if session.has_halted:
        raise CommandError(
            "the machine has halted: nothing leads to where it stands", "`back` goes back into the program"
        )
    return backtrace(session)


def _entry(session: Session, number: int, entry: Entry) -> tuple[str, str, str]:
    origin = entry.origin
    if entry.call is not None:
        values = _arguments(session, entry.call, origin)
        within = f"in the expansion of `{rendering.statement(entry.call.text)}`{f', where {values}' if values else ''}"
    elif entry.frame is not None:
        within = f"in the routine `{routine(session, entry.frame)}`"
    else:
        within = "in the program"
    mark = "=>" if number == session.chosen else "  "
    return f"{mark} #{number}", f"{origin.file}:{origin.line}: {rendering.statement(origin.text)}", within


def _arguments(session: Session, call: Origin, inner: Origin) -> str:
    """What the parameters of a macro stand for in one call, as far as its definition can be read."""
    name, _, given = rendering.statement(call.text).partition(" ")
    lines = rendering.source_lines(session, inner.file)
    head = next((lines[at] for at in range(inner.line - 1, 0, -1) if _is_head(lines.get(at, ""))), "")
    words = rendering.statement(head).split(None, 2)
    if len(words) < 3 or words[1].lower() != name.lower():
        return ""
    names = [each.partition("=")[0].strip() for each in words[2].split(",")]
    return ", ".join(f"{a} = {b.strip()}" for a, b in zip(names, given.split(","), strict=False) if b.strip())


def _is_head(text: str) -> bool:
    return text.lstrip().lower().startswith(".macro")
