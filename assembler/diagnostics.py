"""Where a source goes wrong and why: spans, diagnostics, and how they are drawn."""

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

MAX_DIAGNOSTICS = 1_000  # of one assembly
SHOWN_DIAGNOSTICS = 20
DRAWN_COLUMNS = 160  # of a longer source line, only the part around the caret is drawn
DRAWN_CALLS = 6  # this many macro calls of a long chain, and the last one, are drawn
SHOWN_NAME = 60  # characters of a name or a number in a message
CLOSE_CANDIDATES = 5_000  # names compared for "did you mean", which costs time for each


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One line of a source: the file's name as the user gave it, the number from 1, the text without its end."""

    file: str
    number: int
    text: str


class Span(NamedTuple):
    """Columns `start` (from 1) up to, not including, `end` of one line.

    `calls` are the macro calls this line was expanded from, innermost first.
    """

    line: SourceLine
    start: int
    end: int
    calls: tuple["Span", ...] = ()

    def within(self, calls: tuple["Span", ...]) -> "Span":
        """The span as one expanded from these calls, unless it is part of an expansion already."""
        return Span(self.line, self.start, self.end, calls) if calls and not self.calls else self

    @property
    def outermost(self) -> "Span":
        """The place outside of all macros that this one was expanded from."""
        return self.calls[-1] if self.calls else self

    def __str__(self) -> str:
        return f"{self.line.file}:{self.line.number}:{self.start}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error: what is wrong, in words, where, and what may help. Without a span it is about the whole file."""

    message: str
    span: Span | None = None
    help: str | None = None
    file: str = "<text>"

    def __str__(self) -> str:
        if self.span is None:
            head = [f"{printable(self.file)}: error: {printable(self.message)}"]
        else:
            head = [f"{printable(str(self.span))}: error: {printable(self.message)}", *_excerpt(self.span)]
            head += _chain(self.span.calls)
        return "\n".join(head + ([f"  = help: {self.help}"] if self.help else []))


class AssemblyError(Exception):
    """A source that cannot be assembled. `diagnostics` holds every error found; `str()` is the first 20 of them,
    drawn, and how many more there are."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        drawn = [str(diagnostic) for diagnostic in self.diagnostics[:SHOWN_DIAGNOSTICS]]
        rest = len(self.diagnostics) - len(drawn)
        if rest:
            drawn.append(f"… and {rest:,} more {'error' if rest == 1 else 'errors'}")
        return "\n\n".join(drawn)

    def __repr__(self) -> str:
        first = f", the first is {str(self.diagnostics[0]).splitlines()[0]}" if self.diagnostics else ""
        return f"<AssemblyError: {self._counted()}{first}>"

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback: the lines that are wrong are the program's, none of Python's."""
        return [f"AssemblyError: {self._counted()}", "", *str(self).split("\n")]

    def _counted(self) -> str:
        count = len(self.diagnostics)
        return f"{count:,} error{'s' * (count != 1)}"


class Report:
    """Collects the errors of one assembly, so that all of them are told in one go."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.diagnostics: list[Diagnostic] = []

    def add(self, message: str, span: Span | None, help: str | None = None) -> None:
        """Takes in an error; raises AssemblyError with all of them when there are too many to be of use."""
        self.diagnostics.append(Diagnostic(message, span, help, self.file))
        if len(self.diagnostics) >= MAX_DIAGNOSTICS:
            self.diagnostics.append(Diagnostic("too many errors, the rest is not looked at", file=self.file))
            self.check()

    def check(self) -> None:
        """Raises AssemblyError if there was any error so far."""
        if self.diagnostics:
            raise AssemblyError(_in_source_order(self.diagnostics))


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Help for a misspelt name, or None where nothing known is near it."""
    if len(name) > SHOWN_NAME:
        return None
    near = [other for other in known if abs(len(other) - len(name)) <= 3]
    for key in (str.lower, lambda other: "".join(sorted(other.lower()))):  # but for its case, or the order of letters
        same = next((other for other in near if key(other) == key(name)), None)
        if same is not None and same != name:
            return f"did you mean `{same}`?"
    found = difflib.get_close_matches(name, near[:CLOSE_CANDIDATES], n=1)
    return f"did you mean `{found[0]}`?" if found else None


def shown(value: object) -> str:
    """A name or a number for a message, shortened in the middle where it is very long."""
    text = printable(str(value))
    return text if len(text) <= SHOWN_NAME else f"{text[: SHOWN_NAME // 2]}…{text[-8:]}"


def printable(text: str) -> str:
    """The text with each character that has no place in one line of a terminal replaced by one that has."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _in_source_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics by place, those of the file met first before those of the next, without repetitions."""
    unique = list(dict.fromkeys(diagnostics))
    files: dict[str, int] = {}
    for diagnostic in unique:
        if diagnostic.span is not None:
            files.setdefault(diagnostic.span.outermost.line.file, len(files))

    def place(diagnostic: Diagnostic) -> tuple[int, int, int]:
        if diagnostic.span is None:
            return len(files), 0, 0
        span = diagnostic.span.outermost
        return files[span.line.file], span.line.number, span.start

    return sorted(unique, key=place)


def _chain(calls: tuple[Span, ...]) -> list[str]:
    """A line for each macro call; of very many only the first and the last ones."""
    lines = [f"  = in the expansion of {_call(call)}" for call in calls[:DRAWN_CALLS]]
    if len(calls) > DRAWN_CALLS + 1:
        lines.append(f"  = … and {len(calls) - DRAWN_CALLS - 1:,} more of them")
    return lines + [f"  = in the expansion of {_call(call)}" for call in calls[DRAWN_CALLS:][-1:]]


def _call(span: Span) -> str:
    return f"`{shown(span.line.text[span.start - 1 : span.end - 1])}` at {printable(str(span))}"


def _excerpt(span: Span) -> list[str]:
    """The source line and, under it, carets below the span; tabs stay tabs, so that both lines align."""
    text, start, end = span.line.text, span.start - 1, span.end - 1
    if len(text) > DRAWN_COLUMNS:
        first = max(0, start - DRAWN_COLUMNS // 2)
        last = min(len(text), first + DRAWN_COLUMNS)
        before, after = "…" if first else "", "…" if last < len(text) else ""
        text = before + text[first:last] + after
        start, end = start - first + len(before), min(end - first + len(before), len(text))
    text = printable(text)
    number = str(span.line.number)
    gutter = " " * len(number)
    padding = "".join(_blank(c) for c in text[:start]) + " " * (start - len(text))
    carets = "^" * max(1, sum(_columns(c) for c in text[start:end]))
    return [f"{gutter} |", f"{number} | {text}".rstrip(), f"{gutter} | {padding}{carets}"]


def _blank(character: str) -> str:
    return "\t" if character == "\t" else " " * _columns(character)


def _columns(character: str) -> int:
    """The columns a terminal gives a character."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
