"""The standard macros: `lib/std.sbn`, of which only the macros that a program calls are ever parsed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources

from assembler.blocks import structured
from assembler.diagnostics import SourceLine
from assembler.parsing import parse_lines, source_lines
from assembler.syntax import Definition, Statement

FILE = "std.sbn"
_HEAD = re.compile(r"\s*\.macro\s+(\w+)", re.IGNORECASE)
_END = re.compile(r"\s*(?:\w+\s*:\s*)*\.endm\b", re.IGNORECASE)
_COMMENT = re.compile(r"(?:;+|#+|//+) ?(.*)")


@dataclass(frozen=True)
class LibraryMacro:
    """A standard macro: its name, its lines from `.macro` to `.endm`, and the words of the comment right above it."""

    name: str
    lines: tuple[SourceLine, ...]
    documentation: str

    @cached_property
    def definition(self) -> Definition:
        [definition] = structured(parse_lines(self.lines, FILE), FILE)
        assert isinstance(definition, Definition), "the lines begin with `.macro`"
        return definition


@dataclass(frozen=True, slots=True)
class MacroReference:
    """What there is to know about a standard macro: parameters are names, with the text of a default or None."""

    name: str
    parameters: tuple[tuple[str, str | None], ...]
    documentation: str

    @property
    def usage(self) -> str:
        """The macro as it is called: the name and the parameters."""
        drawn = (name if default is None else f"{name}={default}" for name, default in self.parameters)
        return f"{self.name} {', '.join(drawn)}".rstrip()


@dataclass(frozen=True, slots=True)
class Library:
    """The macros by their names in lower case, in the order of the file; the constants a program may set itself."""

    macros: dict[str, LibraryMacro] = field(default_factory=dict)
    constants: tuple[Statement, ...] = ()


@cache
def standard_library() -> Library:
    """The library, read once."""
    return library_of(text())


def text() -> str:
    """The source of the library."""
    return resources.files("assembler").joinpath("lib", FILE).read_text(encoding="utf-8")


def library_of(text: str) -> Library:
    """The library a source is; outside of its macros it has `.equ` lines and comments and nothing else."""
    macros = {}
    outside: list[SourceLine] = []
    comment: list[str] = []
    lines = iter(source_lines(text, FILE))
    for line in lines:
        if head := _HEAD.match(line.text):
            macros[head[1].lower()] = LibraryMacro(head[1], tuple(_up_to_end(line, lines)), "\n".join(comment).strip())
            comment = []
        elif said := _COMMENT.fullmatch(line.text.strip()):
            comment.append(said[1].rstrip())
        else:
            outside.append(line)
            comment = []
    return Library(macros, tuple(parse_lines(outside, FILE)))


def macro_reference() -> tuple[MacroReference, ...]:
    """All standard macros a program may call, in the order of the library's file."""
    return reference_of(standard_library())


def reference_of(library: Library) -> tuple[MacroReference, ...]:
    return tuple(_reference(macro) for macro in library.macros.values() if not macro.name.startswith("_"))


def _reference(macro: LibraryMacro) -> MacroReference:
    parameters = []
    for parameter in macro.definition.head.parameters:
        default = parameter.default
        text = default and default.line.text[default.start - 1 : default.end - 1]
        parameters.append((parameter.name.text, text))
    return MacroReference(macro.name, tuple(parameters), macro.documentation)


def _up_to_end(first: SourceLine, following: Iterator[SourceLine]) -> Iterator[SourceLine]:
    yield first
    for line in following:
        yield line
        if _END.match(line.text):
            return
