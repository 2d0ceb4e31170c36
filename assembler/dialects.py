"""Readers of other SUBLEQ notations. They make the statements of ours, which are then placed and encoded like all.

`sqasm`: statements end at `;` or at the end of the line, their operands are separated by blanks, `#` starts a comment.

    a b c                   one instruction; without c the next one follows, and `a` alone is `a a` and the next one
    . 5 x:-1 [10] 'text'    data: values, that many zeros, one cell per character (\\n and the like are one)
    loop: x:a ?+3 (-1)      labels stand before statements and operands; `?` is the address of the next cell
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from assembler import parsing
from assembler.diagnostics import Diagnostic, Report, SourceLine, Span, shown
from assembler.encoding import encode
from assembler.image import Image
from assembler.layout import Layout
from assembler.options import DIALECTS, Options
from assembler.syntax import Binary, Expression, Here, Instruction, Name, Number, Operand, Operation, Statement, Unary

_SQASM_ISA, _SQASM_WORD_BITS = "subleq", 32
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", "'": "'", '"': '"'}
_ESCAPE_HELP = r"the escapes are \n \t \r \0 \\ \' and \""
_WORD = re.compile(
    r"""(?P<blank>[ \t\f\v\r]+)|(?P<comment>\#.*)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>[0-9][A-Za-z0-9_]*)"""
    r"""|(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<sign>[-+?().:;\[\]])""",
    re.VERBOSE,
)


def read_dialect(text: str, name: str = "<text>", dialect: str = "sqasm", **options: Any) -> Image:
    """The image of a program in another notation.

    name: what errors and the source map call the text.
    options: `isa word_bits memory entry input_mode`, as for `assemble`; sqasm is for subleq and 32 bits unless stated.

    Raises AssemblyError with all errors found; ValueError and TypeError for options no program can have.
    """
    if dialect not in DIALECTS:
        raise ValueError(f"dialect must be one of {', '.join(DIALECTS)}, not {dialect!r}")
    stated = {"isa": _SQASM_ISA, "word_bits": _SQASM_WORD_BITS}
    stated |= {key: value for key, value in options.items() if value is not None}
    layout = Layout(name, Options(**stated))
    layout.names.symbols.clear()  # this notation has no predefined names, and keeps none for the assembler
    layout.names.is_library = True
    for statement in _statements(text, name, layout.isa):
        layout.place(statement)
    return encode(layout)


def _statements(text: str, name: str, isa: str) -> list[Statement]:
    """The statements of a source. Raises AssemblyError with one error for each line that is none."""
    report = Report(name)
    statements: list[Statement] = []
    for line in parsing.source_lines(text, name):
        try:
            for words in _split(line):
                statements += _Reader(line, words, isa).statements()
        except _Fault as fault:
            report.diagnostics.append(fault.diagnostic)
        if len(statements) > parsing.MAX_STATEMENTS:
            report.add(f"there are more than {parsing.MAX_STATEMENTS:,} statements", statements[-1].span)
            report.check()
    report.check()
    return statements


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a line: its kind, which for signs is the sign itself; its text and columns."""

    kind: str
    text: str
    start: int
    end: int


class _Fault(Exception):
    """What is wrong with a line."""

    def __init__(self, message: str, line: SourceLine, start: int, end: int, help: str | None = None) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(message, Span(line, start, end), help, line.file)


def _split(line: SourceLine) -> Iterator[list[_Word]]:
    """The words of each statement of a line."""
    words: list[_Word] = []
    position = 0
    while position < len(line.text):
        match = _WORD.match(line.text, position)
        if match is None:
            character = line.text[position]
            if character in "'\"":
                message = f"this text has no closing `{character}`"
                raise _Fault(message, line, position + 1, len(line.text.rstrip()) + 1)
            help = "operands are separated by blanks" if character == "," else None
            raise _Fault(f"`{character}` has no meaning here", line, position + 1, position + 2, help)
        kind = match.lastgroup or ""
        if match[0] == ";":
            yield words
            words = []
        elif kind != "comment":
            words.append(_Word(match[0] if kind == "sign" else kind, match[0], position + 1, match.end() + 1))
        position = match.end()
    yield words


class _Reader:
    """Reads the words of one statement from the left."""

    def __init__(self, line: SourceLine, words: list[_Word], isa: str) -> None:
        self.line = line
        self.isa = isa
        end = words[-1].end if words else 1
        self.words = [*words, _Word("end", "end of statement", end, end + 1)]
        self.position = 0

    def statements(self) -> Iterator[Statement]:
        labels = self._labels()
        first = self._skip_blanks()
        if first.kind == ".":
            self.position += 1
            if labels:
                yield Statement(self.line, labels, None)
            yield from self._data()
        elif first.kind == "end":
            if labels:
                yield Statement(self.line, labels, None)
        else:
            yield from self._instruction(labels, first)

    def _instruction(self, labels: tuple[Name, ...], first: _Word) -> Iterator[Statement]:
        # Labels in front of the first operand name its cell, which is the first of the statement.
        operands: list[Operand] = []
        more: tuple[Name, ...] = ()
        while self._skip_blanks().kind != "end":
            more = self._labels()
            word = self._skip_blanks()
            if word.kind == "end":
                break
            if len(operands) == 3:
                raise self._fault("an instruction has at most 3 operands", word)
            operands.append(Operand(more, self._expression(len(operands))))
            more = ()
        word = Name(self.isa, first.start, first.end)
        yield Statement(self.line, labels, Instruction(word, tuple(operands)))
        if more:
            yield Statement(self.line, more, None)

    def _data(self) -> Iterator[Statement]:
        values: list[Operand] = []  # of the `.word` under construction
        while True:
            labels = self._labels()
            word = self._skip_blanks()
            if word.kind in ("end", "[") or word.text in ("''", '""'):
                if values:
                    start, end = values[0].value.start, values[0].value.end
                    yield Statement(self.line, (), Instruction(Name(".word", start, end), tuple(values)))
                    values = []
                if labels:
                    yield Statement(self.line, labels, None)
            if word.kind == "end":
                return
            if word.kind == "[":
                yield self._zeros(word)
            elif word.kind == "text":
                self.position += 1
                for code, start, end in self._characters(word):
                    value = Expression((Number(code, start, end),), self.line, start, end)
                    values.append(Operand(labels, value))
                    labels = ()
                self._check_apart()
            else:
                values.append(Operand(labels, self._expression(len(values))))

    def _characters(self, text: _Word) -> Iterator[tuple[int, int, int]]:
        """Code, first column and the column after it, of each character between the quotes."""
        for match in re.finditer(r"\\?.", text.text[1:-1]):
            start, end = text.start + 1 + match.start(), text.start + 1 + match.end()
            character = match[0][-1]
            if len(match[0]) == 1:
                yield ord(character), start, end
            elif character in _ESCAPES:
                yield ord(_ESCAPES[character]), start, end
            else:
                raise _Fault(f"`{shown(match[0])}` is not an escape", self.line, start, end, _ESCAPE_HELP)

    def _zeros(self, bracket: _Word) -> Statement:
        self.position += 1
        self._skip_blanks()
        count = self._sum(None, 1)
        if self._skip_blanks().kind != "]":
            raise self._fault(f"expected `+`, `-` or `]`, found {self._found()}", self.words[self.position])
        self.position += 1
        self._check_apart()
        value = Expression(tuple(count), self.line, bracket.start + 1, self.words[self.position - 1].start)
        return Statement(self.line, (), Instruction(Name(".space", bracket.start, bracket.end), (Operand((), value),)))

    def _skip_blanks(self) -> _Word:
        while self.words[self.position].kind == "blank":
            self.position += 1
        return self.words[self.position]

    def _labels(self) -> tuple[Name, ...]:
        labels = []
        while self._skip_blanks().kind == "name" and self.words[self.position + 1].kind == ":":
            word = self.words[self.position]
            labels.append(Name(word.text, word.start, word.end))
            self.position += 2
        return tuple(labels)

    def _expression(self, offset: int) -> Expression:
        """An operand whose cell stands that far after the first one of its statement."""
        start = self.words[self.position].start
        operations = self._sum(offset, 0)
        end = self.words[self.position - 1].end
        self._check_apart()
        return Expression(tuple(operations), self.line, start, end)

    def _check_apart(self) -> None:
        if self.words[self.position].kind not in ("blank", "end"):
            raise self._fault(f"expected a blank or the end of the statement, found {self._found()}", self._here())

    def _sum(self, offset: int | None, depth: int) -> list[Operation]:
        """Terms joined by `+` and `-`; blanks are part of it only in parentheses and brackets."""
        operations = self._term(offset, depth)
        start = self._here().start
        while self._sign(depth) in ("+", "-"):
            sign = self._here()
            self.position += 1
            operations += self._term(offset, depth)
            operations.append(Binary(sign.kind, start, self.words[self.position - 1].end))
        return operations

    def _sign(self, depth: int) -> str:
        return (self._skip_blanks() if depth else self._here()).kind

    def _term(self, offset: int | None, depth: int) -> list[Operation]:
        signs: list[_Word] = []
        while self._sign(depth) in ("+", "-"):
            signs.append(self._here())
            self.position += 1
        word = self._here()
        if depth + len(signs) > parsing.MAX_NESTING:
            raise self._fault(f"parentheses and signs are nested more than {parsing.MAX_NESTING} deep", word)
        self.position += 1
        operations: list[Operation]
        match word.kind:
            case "number":
                operations = [Number(self._number(word), word.start, word.end)]
            case "name":
                operations = [Name(word.text, word.start, word.end)]
            case "?" if offset is not None:
                next_cell = Number(offset + 1, word.start, word.end)
                operations = [Here(word.start, word.end), next_cell, Binary("+", word.start, word.end)]
            case "(":
                operations = self._sum(offset, depth + 1)
                if self._skip_blanks().kind != ")":
                    raise self._fault(f"expected `+`, `-` or `)`, found {self._found()}", self._here())
                self.position += 1
            case _:
                self.position -= 1
                raise self._fault(f"expected a value, found {self._found()}", word)
        end = self.words[self.position - 1].end
        return operations + [Unary(sign.kind, sign.start, end) for sign in reversed(signs)]

    def _number(self, word: _Word) -> int:
        if not re.fullmatch("0[xX][0-9A-Fa-f]+|[0-9]+", word.text):
            raise self._fault(f"`{shown(word.text)}` is not a number", word)
        if len(word.text) > parsing.MAX_LITERAL_DIGITS:
            raise self._fault(f"a number has at most {parsing.MAX_LITERAL_DIGITS:,} digits", word)
        return int(word.text, 16 if word.text[:2] in ("0x", "0X") else 10)

    def _here(self) -> _Word:
        return self.words[self.position]

    def _found(self) -> str:
        word = self._here()
        return {"end": word.text, "blank": "a blank"}.get(word.kind, f"`{shown(word.text)}`")

    def _fault(self, message: str, word: _Word) -> _Fault:
        return _Fault(message, self.line, word.start, word.end)
