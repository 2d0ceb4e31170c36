"""The notation of the original SUBLEQ assembler, sqasm, as statements of ours.

Statements end at `;` or at the end of the line, their operands are separated by blanks, `#` starts a comment.

    a b c                   one instruction; without c the next one follows, and `a` alone is `a a` and the next one
    a b c d                 a row of more than three cells is these cells
    . 5 x:-1 [10] 'text'    data: values, that many zeros, one cell per character (\\n and the like are one)
    loop: x:a ?+3 'c'-1     labels stand before statements and operands; `?` is the address of the next cell

Blanks around a sign are part of a sum if there are some behind it (`a - 1`); `a -1` is two operands. A text may go on
over several lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from assembler import parsing
from assembler.diagnostics import Diagnostic, Report, SourceLine, Span, shown
from assembler.syntax import Binary, Expression, Here, Instruction, Name, Number, Operand, Operation, Statement, Unary

_CELLS = 3  # of an instruction
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", "'": "'", '"': '"'}
_ESCAPE_HELP = r"the escapes are \n \t \r \0 \\ \' and \""
_WORD = re.compile(
    r"""(?P<blank>[ \t\f\v\r]+)|(?P<newline>\n)|(?P<comment>\#.*)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|(?P<number>[0-9][A-Za-z0-9_]*)|(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<sign>[-+?().:;\[\]])""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a line: its kind, which for signs is the sign itself; its text and columns.

    One that goes on over the line's end has the columns up to there.
    """

    kind: str
    text: str
    line: SourceLine
    start: int
    end: int


@dataclass(slots=True)
class Source:
    """What a text says, and where it says it in a way that others read differently."""

    statements: list[Statement] = field(default_factory=list)
    signs_apart: list[Word] = field(default_factory=list)  # after an operand and a blank, with no blank behind them
    directives: list[Word] = field(default_factory=list)  # `.` and, directly behind it, this word and no more


def read(lines: list[SourceLine], name: str, isa: str, question_mark: int) -> Source:
    """The statements in some lines. Raises AssemblyError with one error for each line that is none.

    question_mark: the address that `?` stands for, counted from that of its own cell.
    """
    report = Report(name)
    source = Source()
    for words in _split(lines, report):
        try:
            source.statements += _Reader(source, words, isa, question_mark).statements()
        except _Fault as fault:
            report.diagnostics.append(fault.diagnostic)
        if len(source.statements) > parsing.MAX_STATEMENTS:
            report.add(f"there are more than {parsing.MAX_STATEMENTS:,} statements", source.statements[-1].span)
            report.check()
    _check_directives(source, report)
    report.check()
    return source


def _check_directives(source: Source, report: Report) -> None:
    """Reports `.data` and the like, which are data here: the address of a label that there is not."""
    labels = {label.text for statement in source.statements for label in statement.labels}
    for statement in source.statements:
        if isinstance(statement.body, Instruction):
            labels.update(label.text for operand in statement.body.operands for label in operand.labels)
    for word in source.directives:
        if word.text not in labels:
            span = Span(word.line, word.start - 1, word.end)
            help = "`.` begins data, such as `. 5 x:-1`; there are no sections, so this line can be left out"
            report.add(f"`.{shown(word.text)}` is a directive of other assemblers", span, help)


class _Fault(Exception):
    """What is wrong with a statement."""

    def __init__(self, message: str, line: SourceLine, start: int, end: int, help: str | None = None) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(message, Span(line, start, end), help, line.file)


def _split(lines: list[SourceLine], report: Report) -> Iterator[list[Word]]:
    """The words of each statement."""
    text = "\n".join(line.text for line in lines)
    words: list[Word] = []
    index, line_start, position = 0, 0, 0
    while position < len(text):
        line, column = lines[index], position - line_start + 1
        match = _WORD.match(text, position)
        if match is None:
            report.diagnostics.append(_meaningless(line, column))
            words = []
            position = line_start + len(line.text)
            continue
        kind = match.lastgroup or ""
        if kind == "newline" or match[0] == ";":
            yield words
            words = []
        elif kind != "comment":
            end = min(match.end() - line_start, len(line.text)) + 1
            words.append(Word(match[0] if kind == "sign" else kind, match[0], line, column, end))
        position = match.end()
        if kind in ("newline", "text"):
            ends = match[0].count("\n")
            index += ends
            line_start = position - (len(match[0]) - match[0].rfind("\n") - 1) if ends else line_start
    yield words


def _meaningless(line: SourceLine, column: int) -> Diagnostic:
    character = line.text[column - 1]
    if character in "'\"":
        message = f"this text has no closing `{character}`"
        return Diagnostic(message, Span(line, column, len(line.text.rstrip()) + 1), None, line.file)
    help = "operands are separated by blanks" if character == "," else None
    return Diagnostic(f"`{character}` has no meaning here", Span(line, column, column + 1), help, line.file)


class _Reader:
    """Reads the words of one statement from the left."""

    def __init__(self, source: Source, words: list[Word], isa: str, question_mark: int) -> None:
        self.source = source
        self.isa = isa
        self.question_mark = question_mark
        line, end = (words[-1].line, words[-1].end) if words else (SourceLine("", 0, ""), 1)
        self.words = [*words, Word("end", "end of statement", line, end, end + 1)]
        self.position = 0

    def statements(self) -> Iterator[Statement]:
        labels = self._labels()
        first = self._skip_blanks()
        if first.kind == ".":
            self.position += 1
            if labels:
                yield self._labelled(labels)
            self._look_for_directive()
            yield from self._data()
        elif first.kind == "end":
            if labels:
                yield self._labelled(labels)
        else:
            yield from self._row(labels, first)

    def _labelled(self, labels: tuple[Name, ...]) -> Statement:
        """Labels alone. They stand in one line, the last word read among them."""
        return Statement(self.words[self.position - 1].line, labels, None)

    def _look_for_directive(self) -> None:
        word = self._here()
        if word.kind == "name" and all(each.kind in ("blank", "end") for each in self.words[self.position + 1 :]):
            self.source.directives.append(word)

    def _row(self, labels: tuple[Name, ...], first: Word) -> Iterator[Statement]:
        """An instruction, or more than three cells: they are instructions, too, as far as they go."""
        # Labels in front of the first operand name its cell, which is the first of the statement.
        operands: list[Operand] = []
        more: tuple[Name, ...] = ()
        while self._skip_blanks().kind != "end":
            more = self._labels()
            if self._skip_blanks().kind == "end":
                break
            operands.append(Operand(more, self._expression(len(operands) % _CELLS)))
            more = ()
        for at in range(0, max(len(operands), 1), _CELLS):
            cells = tuple(operands[at : at + _CELLS])
            word = ".word" if at and len(cells) < _CELLS else self.isa
            line, start, end = first.line, first.start, first.end
            if at:
                line, start, end = cells[0].value.line, cells[0].value.start, cells[0].value.end
            yield Statement(line, labels, Instruction(Name(word, start, end), cells))
            labels = ()
        if more:
            yield self._labelled(more)

    def _data(self) -> Iterator[Statement]:
        values: list[Operand] = []  # of the `.word` under construction
        while True:
            labels = self._labels()
            word = self._skip_blanks()
            is_run = word.kind == "text" and len(list(self._characters(word))) != 1
            if word.kind in ("end", "[") or (is_run and len(word.text) == 2):
                if values:
                    first = values[0].value
                    instruction = Instruction(Name(".word", first.start, first.end), tuple(values))
                    yield Statement(first.line, (), instruction)
                    values = []
                if labels:
                    yield self._labelled(labels)
            if word.kind == "end":
                return
            if word.kind == "[":
                yield self._zeros(word)
            elif is_run:
                self.position += 1
                for code, start, end in self._characters(word):
                    value = Expression((Number(code, start, end),), word.line, start, end)
                    values.append(Operand(labels, value))
                    labels = ()
                self._check_apart()
            else:
                values.append(Operand(labels, self._expression(len(values))))

    def _characters(self, text: Word) -> Iterator[tuple[int, int, int]]:
        """Code, first column and the column after it, of each character between the quotes."""
        last = len(text.line.text) + 1
        for match in re.finditer(r"(?s)\\?.", text.text[1:-1]):
            start, end = text.start + 1 + match.start(), text.start + 1 + match.end()
            start, end = min(start, last), min(end, last)  # of a text over several lines, the first is shown
            character = match[0][-1]
            if len(match[0]) == 1:
                yield ord(character), start, end
            elif character in _ESCAPES:
                yield ord(_ESCAPES[character]), start, end
            else:
                raise _Fault(f"`{shown(match[0])}` is not an escape", text.line, start, end, _ESCAPE_HELP)

    def _zeros(self, bracket: Word) -> Statement:
        self.position += 1
        self._skip_blanks()
        count = self._sum(None, 1)
        if self._skip_blanks().kind != "]":
            raise self._fault(f"expected `+`, `-` or `]`, found {self._found()}", self.words[self.position])
        self.position += 1
        self._check_apart()
        value = Expression(tuple(count), bracket.line, bracket.start + 1, self.words[self.position - 1].start)
        instruction = Instruction(Name(".space", bracket.start, bracket.end), (Operand((), value),))
        return Statement(bracket.line, (), instruction)

    def _skip_blanks(self) -> Word:
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
        first = self.words[self.position]
        operations = self._sum(offset, 0)
        end = self.words[self.position - 1].end
        self._check_apart()
        return Expression(tuple(operations), first.line, first.start, end)

    def _check_apart(self) -> None:
        if self.words[self.position].kind not in ("blank", "end"):
            raise self._fault(f"expected a blank or the end of the statement, found {self._found()}", self._here())

    def _sum(self, offset: int | None, depth: int) -> list[Operation]:
        """Terms joined by `+` and `-`."""
        operations = self._term(offset, depth)
        start = self._here().start
        while self._sign(depth) in ("+", "-"):
            sign = self._here()
            self.position += 1
            self._skip_blanks()
            operations += self._term(offset, depth)
            operations.append(Binary(sign.kind, start, self.words[self.position - 1].end))
        return operations

    def _sign(self, depth: int) -> str:
        """What joins the next term; outside of parentheses a sign with a blank before it and none behind does not."""
        if depth:
            return self._skip_blanks().kind
        word = self._here()
        if word.kind != "blank":
            return word.kind
        sign, *behind = self.words[self.position + 1 : self.position + 3]
        if sign.kind not in ("+", "-"):
            return word.kind
        if behind and behind[0].kind == "blank":
            return self._skip_blanks().kind
        self.source.signs_apart.append(sign)
        return word.kind

    def _term(self, offset: int | None, depth: int) -> list[Operation]:
        signs: list[Word] = []
        while self._here().kind in ("+", "-"):
            signs.append(self._here())
            self.position += 1
            self._skip_blanks()
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
            case "text":
                operations = [self._character(word)]
            case "?" if offset is not None:
                cell = Number(offset + self.question_mark, word.start, word.end)
                operations = [Here(word.start, word.end), cell, Binary("+", word.start, word.end)]
            case "(":
                self._skip_blanks()
                operations = self._sum(offset, depth + 1)
                if self._skip_blanks().kind != ")":
                    raise self._fault(f"expected `+`, `-` or `)`, found {self._found()}", self._here())
                self.position += 1
            case _:
                self.position -= 1
                raise self._fault(f"expected a value, found {self._found()}", word)
        end = self.words[self.position - 1].end
        return operations + [Unary(sign.kind, sign.start, end) for sign in reversed(signs)]

    def _character(self, word: Word) -> Number:
        codes = [code for code, _, _ in self._characters(word)]
        if len(codes) != 1:
            help = "several characters are data, which `.` begins: `. 'ab'`"
            raise _Fault("a character is needed here, not a text", word.line, word.start, word.end, help)
        return Number(codes[0], word.start, word.end)

    def _number(self, word: Word) -> int:
        if not re.fullmatch("0[xX][0-9A-Fa-f]+|[0-9]+", word.text):
            raise self._fault(f"`{shown(word.text)}` is not a number", word)
        if len(word.text) > parsing.MAX_LITERAL_DIGITS:
            raise self._fault(f"a number has at most {parsing.MAX_LITERAL_DIGITS:,} digits", word)
        return int(word.text, 16 if word.text[:2] in ("0x", "0X") else 10)

    def _here(self) -> Word:
        return self.words[self.position]

    def _found(self) -> str:
        word = self._here()
        return {"end": word.text, "blank": "a blank"}.get(word.kind, f"`{shown(word.text)}`")

    def _fault(self, message: str, word: Word) -> _Fault:
        return _Fault(message, word.line, word.start, word.end)
