"""What commands are given: counts, places, conditions."""

from __future__ import annotations

import re

from vm.debugger.errors import CommandError
from vm.debugger.expressions import known_names, parsed
from vm.debugger.session import Session

_LINE = re.compile(r"(?P<file>.*):(?P<line>[0-9]{1,9})", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*")


def count(session: Session, text: str, default: int) -> int:
    """A number of steps or rows: an expression, 0 or more."""
    if not text:
        return default
    value = session.evaluate(text)
    if value < 0:
        raise CommandError(f"{value} is negative: a count is 0 or more")
    return value


def place(session: Session, text: str) -> int:
    """An address of the memory, given as an expression, or as :LINE or FILE:LINE of the source."""
    match = _LINE.fullmatch(text.strip())
    if match is None:
        return session.checked_address(session.evaluate(text))
    address = session.source.address_of_line(int(match["line"]), match["file"] or None)
    if address is None:
        raise CommandError(f"no word was made by {text.strip()} or a line after it")
    return address


def places(session: Session, text: str) -> tuple[int, int]:
    """The first and the last address of a place, or of a range FROM..TO."""
    first, dots, last = text.partition("..")
    start = place(session, first)
    end = place(session, last) if dots else start
    if end < start:
        raise CommandError(f"{text.strip()} ends at {end}, before it begins at {start}")
    return start, end


def depends_on_machine(session: Session, text: str) -> bool:
    """Whether a place means another address once the machine stands elsewhere."""
    if _LINE.fullmatch(text.strip()):
        return False
    expression = parsed(text)
    named = set(_NAME.findall(expression.text)) - set(session.symbols)
    return bool(expression.reads) or not named.isdisjoint(known_names({}, 0, 0))


def conditional(text: str) -> tuple[str, str | None]:
    """`LOC if EXPR` apart."""
    what, *conditions = re.split(r"\sif(?=\s|$)", text, maxsplit=1)
    if conditions and not conditions[0].strip():
        raise CommandError("`if` needs a condition")
    return what.strip(), conditions[0].strip() if conditions else None


def assignment(text: str, usage: str) -> tuple[str, str]:
    """`TARGET = EXPR` apart, at the first `=` that is no comparison."""
    match = re.search(r"(?<![=<>!])=(?!=)", text)
    if match is None or not text[: match.start()].strip() or not text[match.end() :].strip():
        raise CommandError("this is not an assignment", f"usage: {usage}")
    return text[: match.start()].strip(), text[match.end() :].strip()


def word(session: Session, text: str) -> int:
    """An expression whose value fits a word; the unsigned word."""
    value = session.evaluate(text)
    bits = session.word_bits
    if not -(1 << bits - 1) <= value < 1 << bits:
        raise CommandError(f"{value} does not fit a word of {bits} bits")
    return value & session.console


def nothing(text: str, name: str) -> None:
    """Refuse arguments where there are none."""
    if text:
        raise CommandError(f"`{name}` takes no arguments, but here it has `{text}`")
