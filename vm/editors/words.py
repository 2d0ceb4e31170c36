"""The words of a source while it is being typed: what each of them is, line by line, however wrong the rest may be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

LABEL, CONSTANT, MACRO, PARAMETER, NAME = "label", "constant", "macro", "parameter", "name"
OPERATION, DIRECTIVE, RELATION = "operation", "directive", "relation"
NUMBER, STRING, COMMENT = "number", "string", "comment"
DEFINITIONS = (LABEL, CONSTANT, MACRO, PARAMETER)
RELATIONS = ("lt", "le", "gt", "ge", "eq", "ne", "not")
_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?)|(?P<comment>(?:;|\#|//).*)"""
    r"""|(?P<directive>\.[A-Za-z_]\w*)|(?P<name>[A-Za-z_]\w*)(?P<colon>[ \t]*:)?|(?P<number>\d\w*)""",
    re.VERBOSE,
)
# What opens a group of lines, and what closes it.
PAIRS = {".macro": ".endm", ".if": ".endif", ".rept": ".endr", ".pool": ".endpool"}
BLOCKS = {"if": "end", "while": "end", "for": "end", "repeat": "until", "proc": "endproc"}


@dataclass(frozen=True)
class Word:
    """
    One word: its line and its columns, from 0, and what it is. scope: the macro whose own name it is, or "";
    inside: the macro in whose body a name of the program's stands, or "".
    """

    line: int
    start: int
    end: int
    text: str
    kind: str
    scope: str = ""
    inside: str = ""


@dataclass(frozen=True)
class MacroText:
    """A macro of this source: the line it begins in, its parameters as they are written, the comment above it."""

    name: str
    line: int
    parameters: tuple[str, ...]
    documentation: str


class Words:
    """All words of one source, and what is defined in it."""

    def __init__(self, text: str) -> None:
        self.lines = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}").split("\n")
        self.macros: dict[str, MacroText] = {}
        self.words: list[Word] = []
        self._scope = ""
        self._locals: dict[str, set[str]] = {"": set()}
        for number, line in enumerate(self.lines):
            self.words += self._words_of(number, line)
        self.words = [self._placed(word) for word in self.words]

    def at(self, line: int, column: int) -> Word | None:
        """The word at a place, or that ends there."""
        found = [word for word in self.words if word.line == line and word.start <= column <= word.end]
        return found[-1] if found else None

    def definition(self, word: Word) -> Word | None:
        """Where a name of this source is defined; a macro's own name in the macro."""
        for each in self.words:
            if each.kind in DEFINITIONS and each.scope == word.scope and _is_name_of(each, word):
                return each
        return None

    def references(self, word: Word) -> list[Word]:
        """All words that mean the same as this one."""
        return [
            each
            for each in self.words
            if each.scope == word.scope and _is_name_of(each, word) and each.kind in (*DEFINITIONS, NAME, OPERATION)
        ]

    def is_used(self, name: str, word: Word) -> bool:
        """Whether a name means something already where this word is known: as a macro if it is one, else as a label."""
        if _is_macro(word):
            return any(_is_macro(each) and each.text.lower() == name.lower() for each in self.words)
        kinds = (LABEL, CONSTANT, PARAMETER, NAME)
        return any(each.kind in kinds and each.text == name and each.scope in ("", word.scope) for each in self.words)

    def is_hidden(self, word: Word, name: str) -> bool:
        """Whether a macro in whose body this word stands has a name of its own that is called so."""
        return not _is_macro(word) and word.inside != "" and name in self._locals[word.inside]

    def definitions(self) -> list[Word]:
        """What the source defines, but for what is a macro's own."""
        return [word for word in self.words if word.kind in DEFINITIONS and not word.scope]

    def groups(self) -> Iterator[tuple[int, int]]:
        """The first and the last line of each macro, conditional, repetition and block."""
        open_: list[tuple[str, int]] = []
        for word in self.words:
            if word.kind not in (OPERATION, DIRECTIVE):
                continue
            name = word.text.lower()
            closing = PAIRS.get(name) or BLOCKS.get(name)
            if closing is not None and (name != "until"):
                open_.append((closing, word.line))
            elif any(name == closing for closing, _ in open_):
                while open_:
                    closing, first = open_.pop()
                    if closing == name:
                        yield first, word.line
                        break

    def _words_of(self, number: int, line: str) -> Iterator[Word]:
        operation = ""
        defines = ""  # what the next name is
        for match in _TOKEN.finditer(line):
            text, (start, end) = match[match.lastgroup or 0], match.span(match.lastgroup or 0)
            if match["name"] is not None:
                start, end, text = match.start("name"), match.end("name"), match["name"]
            kind = match.lastgroup if match["name"] is None else NAME
            if kind == DIRECTIVE and not operation:
                operation = text.lower()
                defines = {".equ": CONSTANT, ".macro": MACRO}.get(operation, "")
                if operation == ".endm":
                    self._scope = ""
            elif kind == NAME and match["colon"] is not None:
                kind = LABEL
            elif kind == NAME and defines:
                kind = defines
                defines = PARAMETER if defines == MACRO else ""
                if kind == MACRO:
                    self._begin_macro(number, text, line[end:])
            elif kind == NAME and not operation:
                kind, operation = OPERATION, text.lower()
                defines = LABEL if operation == "proc" else ""
            elif (
                kind == NAME
                and text.lower() in RELATIONS
                and operation in BLOCKS.keys() | {"until", ".when", ".unless"}
            ):
                kind = RELATION
            scope = self._scope if kind in DEFINITIONS and kind != MACRO else ""
            if scope:
                self._locals[scope].add(text)
            yield Word(number, start, end, text, str(kind), self._scope if kind != MACRO else "")

    def _begin_macro(self, number: int, name: str, rest: str) -> None:
        self._scope = name
        self._locals.setdefault(name, set())
        above = []
        for line in reversed(self.lines[:number]):
            said = re.fullmatch(r"\s*(?:;+|#+|//+) ?(.*)", line)
            if said is None:
                break
            above.append(said[1])
        names = re.split(r"[;#]|//", rest)[0].split(",")
        parameters = tuple(each.strip() for each in names if each.strip())
        self.macros[name.lower()] = MacroText(name, number, parameters, "\n".join(above[::-1]))

    def _placed(self, word: Word) -> Word:
        """A word with the scope that it is looked up in: a name that its macro does not define is the program's."""
        if word.scope and word.text not in self._locals[word.scope]:
            return replace(word, scope="", inside=word.scope)
        return word


def _is_name_of(one: Word, other: Word) -> bool:
    """Whether two words are the same name. Macros have a name space of their own, in which case does not matter."""
    if _is_macro(one) and _is_macro(other):
        return one.text.lower() == other.text.lower()
    return not _is_macro(one) and not _is_macro(other) and one.text == other.text


def _is_macro(word: Word) -> bool:
    return word.kind in (MACRO, OPERATION)
