"""Where the blocks of a source end, such as `while … end`; what opens and closes one is what the macros say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from assembler import library
from vm.debugger.rendering import statement

_DIRECTIVES = (".if", ".macro", ".pool", ".rept")


def block_macros(lines: Iterable[str]) -> dict[str, str]:
    """The macros defined in some lines that take a body, each with the word that closes it."""
    found: dict[str, str] = {}
    name, closing, has_body = "", "end", False
    for line in lines:
        words = statement(line).lower().replace(",", " ").split()
        if not words:
            continue
        if words[0] == ".macro" and len(words) > 1:
            name, closing, has_body = words[1], "end", False
        elif words[0] == ".close" and len(words) > 1:
            closing = words[1]
        elif words[0] == ".body":
            has_body = True
        elif words[0] == ".endm" and name:
            if has_body:
                found[name] = closing
            name = ""
    return found


@cache
def _library() -> dict[str, str]:
    return block_macros(library.text().splitlines())


def opens_block(line: str) -> bool:
    """Whether a line opens a block of the library's, or of the assembler's own, such as `.macro … .endm`."""
    return statement(line).lower().partition(" ")[0] in {*_library(), *_DIRECTIVES}


def end_of_block(lines: Mapping[int, str], first: int) -> int | None:
    """The line that closes the block which a line opens; None where it opens none, or none of the lines closes it."""
    macros = _library() | block_macros(lines.values())
    open_: list[str] = []
    for number in sorted(each for each in lines if each >= first):
        word = statement(lines[number]).lower().partition(" ")[0]
        if word in macros:
            open_.append(macros[word])
        elif open_ and word == open_[-1]:
            open_.pop()
        if not open_:
            return number if number > first else None
    return None
