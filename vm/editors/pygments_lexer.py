"""The assembly language for Pygments, and so for whatever colours with it: by the words that the language server knows.

Pygments finds the lexer by the entry point `sbn` of the package; `pygmentize -l sbn FILE` uses it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from pygments.lexer import Lexer
from pygments.style import Style
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    String,
    Text,
    _TokenType,  # pyright: ignore[reportPrivateUsage]
)

from assembler.image import ISAS
from vm.editors import words as kinds
from vm.editors.words import Word, Words

TOKENS = {
    kinds.COMMENT: Comment.Single,
    kinds.STRING: String,
    kinds.NUMBER: Number,
    kinds.DIRECTIVE: Keyword.Pseudo,
    kinds.RELATION: Operator.Word,
    kinds.OPERATION: Name.Function,
    kinds.MACRO: Name.Function,
    kinds.PARAMETER: Name.Variable,
    kinds.LABEL: Name.Label,
    kinds.CONSTANT: Name.Constant,
    kinds.NAME: Name,
}
FLOW = {*kinds.BLOCKS, *kinds.BLOCKS.values(), "else", "break", "continue", "return"}


class SbnLexer(Lexer):
    """Tokens of a source, however wrong it may be: together they are the whole text."""

    name = "SBN"
    aliases = ["sbn", "subleq"]
    filenames = ["*.sbn"]
    url = "https://en.wikipedia.org/wiki/One-instruction_set_computer"

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, _TokenType, str]]:
        """Each token with where it begins in the text."""
        words = Words(text)
        by_line = {number: list(found) for number, found in itertools.groupby(words.words, lambda word: word.line)}
        at = 0
        for number, line in enumerate(text.split("\n")):
            line += "\n" if at + len(line) < len(text) else ""
            shift = len(line.rstrip("\n")) - len(words.lines[number])  # of a byte order mark
            column = 0
            for word in by_line.get(number, []):
                start, end = word.start + shift, word.end + shift
                if start > column:
                    yield at + column, Text, line[column:start]
                yield at + start, _token(word), line[start:end]
                column = end
            if column < len(line):
                yield at + column, Text, line[column:]
            at += len(line)


def _token(word: Word) -> _TokenType:
    if word.kind == kinds.OPERATION:
        name = word.text.lower()
        return Name.Builtin if name in ISAS else Keyword if name in FLOW else Name.Function
    return TOKENS[word.kind]


class SbnStyle(Style):
    """The colours of the terminal's own palette, which can be read on a dark background and on a light one."""

    styles = {
        Comment: "ansibrightblack",
        String: "ansigreen",
        Number: "ansicyan",
        Keyword: "ansimagenta",
        Operator.Word: "ansimagenta",
        Name.Function: "ansiblue",
        Name.Builtin: "bold",
        Name.Label: "ansiyellow",
        Name.Constant: "ansicyan",
    }
