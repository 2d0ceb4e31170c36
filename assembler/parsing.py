"""Source text to statements: decoding, lines, the grammar, and its errors in words."""

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any, NamedTuple

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from assembler.diagnostics import AssemblyError, Diagnostic, Report, SourceLine, Span, shown
from assembler.syntax import (
    RELATIONS,
    Binary,
    Condition,
    Expression,
    Here,
    Instruction,
    MacroHead,
    Name,
    Number,
    Operand,
    Operation,
    Parameter,
    Pooled,
    Statement,
    Text,
    Unary,
)

MAX_SOURCE_BYTES = 16 << 20
MAX_LITERAL_DIGITS = 1_000
MAX_NESTING = 200
MAX_STATEMENTS = 1 << 20

# C's, from the tightest; all are left associative.
_PRECEDENCE = {
    operator: -level
    for level, operators in enumerate(
        ("* / %", "+ -", "<< >>", "< <= > >=", "== !=", "&", "^", "|", "&&", "||"),
    )
    for operator in operators.split()
}
_ESCAPES = {"n": 10, "t": 9, "r": 13, "0": 0, "\\": 92, "'": 39, '"': 34}
_ESCAPE_HELP = r"the escapes are \n \t \r \0 \\ \' \" and \xHH, two hexadecimal digits"
_NUMBER = re.compile(
    r"0x(?P<hex>[0-9a-f]+(?:_[0-9a-f]+)*)|0b(?P<bin>[01]+(?:_[01]+)*)|(?P<dec>[0-9]+(?:_[0-9]+)*)", re.IGNORECASE
)


def decode_source(data: bytes, name: str = "<text>") -> str:
    """The text of a source file. Raises AssemblyError where it is not UTF-8 or has more than 16 MiB."""
    if not isinstance(data, (bytes, bytearray)):
        raise TypeError(f"the data of a source are bytes, not {type(data).__name__}")
    if len(data) > MAX_SOURCE_BYTES:
        raise AssemblyError([_too_large(name)])
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        line_end = data.find(b"\n", error.start)
        rest = data[error.start : len(data) if line_end < 0 else line_end].decode("utf-8", "replace")
        text = before[before.rfind("\n") + 1 :] + rest
        column = len(text) - len(rest) + 1
        line = SourceLine(name, before.count("\n") + 1, text.removesuffix("\r"))
        message = f"byte 0x{data[error.start]:02X} is not part of UTF-8 text"
        help = "save the file as UTF-8; a byte value in a string is written \\xHH"
        raise AssemblyError([Diagnostic(message, Span(line, column, column + 1), help)]) from None


def source_lines(text: str, name: str) -> list[SourceLine]:
    """The lines of a text. Raises AssemblyError for more than 16 MiB and for what UTF-8 cannot hold."""
    if not isinstance(text, str):
        raise TypeError(f"a source is a str, not {type(text).__name__}; `decode_source` makes one of bytes")
    if len(text) > MAX_SOURCE_BYTES:
        raise AssemblyError([_too_large(name)])
    texts = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}").split("\n")
    lines = [SourceLine(name, number, line.removesuffix("\r")) for number, line in enumerate(texts, 1)]
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        report = Report(name)
        for line in lines:
            for match in re.finditer("[\ud800-\udfff]+", line.text):
                message = f"U+{ord(match[0][0]):04X} is half of a character and has no place in a text"
                report.add(message, Span(line, match.start() + 1, match.end() + 1))
        report.check()
        raise
    if size > MAX_SOURCE_BYTES:
        raise AssemblyError([_too_large(name)])
    return lines


def parse(text: str, name: str) -> list[Statement]:
    """The statements of a source. Raises AssemblyError with one error for each line that is none."""
    return parse_lines(source_lines(text, name), name)


def parse_lines(lines: Iterable[SourceLine], name: str) -> list[Statement]:
    """The statements of some lines of a source, as `parse` makes them."""
    report = Report(name)
    statements = []
    for line in lines:
        try:
            statement = _parse_line(line)
        except SyntaxFault as fault:
            report.add(fault.message, Span(line, fault.start, fault.end), fault.help)
            continue
        if statement is not None:
            statements.append(statement)
            if len(statements) > MAX_STATEMENTS:
                report.add(f"there are more than {MAX_STATEMENTS:,} statements", statement.span)
                report.check()
    report.check()
    return statements


def parse_expression(text: str, name: str) -> Expression:
    """The expression that is the whole of a text. Raises AssemblyError."""
    [line, *more] = source_lines(text, name)
    span = Span(line, 1, len(line.text) + 1)
    if more:
        raise AssemblyError([Diagnostic("an expression is one line", span)])
    try:
        # As the operand of a directive it meets the whole grammar.
        statement = _parse_line(SourceLine(name, 1, f".word {line.text}"))
    except SyntaxFault as fault:
        span = Span(line, max(1, fault.start - 6), max(2, fault.end - 6))
        raise AssemblyError([Diagnostic(fault.message, span, fault.help)]) from None
    assert statement is not None and isinstance(statement.body, Instruction)
    match statement.body.operands:
        case [Operand(labels=(), value=Expression() as expression)] if not expression.literal:
            return expression
    raise AssemblyError([Diagnostic(f"`{shown(text)}` is not an expression", span)])


class SyntaxFault(Exception):
    """What is wrong with a line, and in which columns of it."""

    def __init__(self, message: str, start: int, end: int, help: str | None = None) -> None:
        super().__init__(message)
        self.message, self.start, self.end, self.help = message, start, end, help


def _parse_line(line: SourceLine) -> Statement | None:
    if not line.text or line.text.isspace():
        return None
    if sum(map(line.text.count, "(-+~!")) > MAX_NESTING:
        _check_nesting(line.text)
    try:
        parsed: Any = _parsed(line.text)
    except UnexpectedToken as error:
        from assembler import faults

        raise faults.misplaced(line.text, error) from None
    except UnexpectedCharacters as error:
        from assembler import faults

        raise faults.meaningless(line.text, error.column) from None
    labels, body = parsed
    if body is None and not labels:
        return None
    match body:
        case (word, operands):
            body = Instruction(word, tuple(_operand(line, *operand) for operand in operands))
        case (word, name, pairs):
            parameters = (Parameter(each, default and _expression(line, default)) for each, default in pairs)
            body = MacroHead(word, name, tuple(parameters))
    return Statement(line, labels, body)


def _check_nesting(text: str) -> None:
    """Refuses parentheses and signs nested too deep, before the parser has to keep them all in mind."""
    from assembler.nesting import too_deep  # few lines have that many signs

    if deep := too_deep(text, MAX_NESTING):
        raise SyntaxFault(f"parentheses and signs are nested more than {MAX_NESTING} deep", *deep)


def _operand(line: SourceLine, labels: tuple[Name, ...], parts: list[Any]) -> Operand:
    values = [_part(line, part) for part in parts]
    if len(values) == 1:
        return Operand(labels, values[0])
    first, second = values[0], values[1]
    words = [value.sole_name if isinstance(value, Expression) else None for value in (first, second)]
    relations = [word.text.lower() if word else "" for word in words]
    left = right = None
    if relations[0] == "not" and len(values) == 2:
        relation, left = "not", Operand((), second)
    elif relations[1] in RELATIONS and len(values) == 3:
        relation, left, right = relations[1], Operand((), first), Operand((), values[2])
    else:
        from assembler import faults

        extra = values[3] if relations[1] in RELATIONS and len(values) > 3 else second
        end = extra.start + 1 if isinstance(extra, Expression) and extra.literal else extra.end
        found = shown(line.text[extra.start - 1 : end - 1])
        help = faults.further_help(line, words[0], extra.start)
        raise SyntaxFault(f"expected `,` or end of line, found `{found}`", extra.start, end, help)
    return Operand(labels, Condition(relation, left, right, line, first.start, values[-1].end))


def _part(line: SourceLine, value: Any) -> Expression | Text:
    """A part of an operand: a string, a literal or another expression."""
    if isinstance(value, Token):
        return Text(_bytes_of(value), line, value.column or 1, value.end_column or 1)
    if isinstance(value, _Literal):
        inner = _part(line, value.value)
        pooled = inner.data if isinstance(inner, Text) else inner
        return Expression((Pooled(pooled, value.start, inner.end),), line, value.start, inner.end)
    return _expression(line, value)


def _expression(line: SourceLine, value: "_Postfix") -> Expression:
    operations, start, end = value
    return Expression(tuple(operations), line, start, end)


# An expression under construction: its operations, the column it starts in, the column after it.
_Postfix = tuple[list[Operation], int, int]


class _Literal(NamedTuple):
    """`=` and what follows it: a string or an expression."""

    start: int
    value: Any


@lru_cache(maxsize=1 << 12)
def _parsed(text: str) -> Any:
    """What the grammar makes of a line, with columns and without the line: many lines of a program say the same."""
    return _grammar().parse(text)


_tables: str | None = None  # the file that keeps them


def keep_tables(file: str) -> None:
    """Keep what is computed from the grammar in this file: computing it takes longer than parsing a small program.

    lark writes it, and takes from it only what is of this grammar, this lark and this Python. It must be a file that
    nobody else can write, for it is unpickled. Without this call nothing is kept.
    """
    global _tables
    _tables = file


@cache
def _grammar() -> Lark:
    return Lark.open_from_package(
        "assembler",
        "sbn.lark",
        parser="lalr",
        lexer="basic",
        start="line",
        maybe_placeholders=False,
        transformer=_Builder(),
        cache=_tables or False,
    )


class _Builder(Transformer):
    """Called by the parser with the parts of each rule. It keeps no state: one grammar serves all sources."""

    def line(self, parts: list[Any]) -> tuple[tuple[Name, ...], Any]:
        if parts and not isinstance(parts[-1], Name):
            return tuple(parts[:-1]), parts[-1]
        return tuple(parts), None

    def label(self, parts: list[Token]) -> Name:
        return _name(parts[0])

    def instruction(self, parts: list[Any]) -> tuple[Name, list[Any]]:
        return _name(parts[0]), parts[1:]

    def operand(self, parts: list[Any]) -> tuple[tuple[Name, ...], list[Any]]:
        first = next(index for index, part in enumerate(parts) if not isinstance(part, Name))
        return tuple(parts[:first]), parts[first:]

    def literal(self, parts: list[Any]) -> _Literal:
        return _Literal(parts[0].column, parts[1])

    def further(self, parts: list[Any]) -> "_Postfix":
        return self.expression(parts)

    def macro_head(self, parts: list[Any]) -> tuple[Name, Name, list[Any]]:
        return _name(parts[0]), _name(parts[1]), parts[2:]

    def parameter(self, parts: list[Any]) -> tuple[Name, _Postfix | None]:
        return _name(parts[0]), parts[2] if len(parts) > 1 else None

    def expression(self, parts: list[Any]) -> _Postfix:
        """Operands and operators, by turns, to postfix order: the operator-precedence method."""
        if len(parts) == 1:
            return _term(parts[0])
        operands: list[_Postfix] = [_term(parts[0])]
        operators: list[str] = []
        for index in range(1, len(parts), 2):
            operator = str(parts[index])
            while operators and _PRECEDENCE[operators[-1]] >= _PRECEDENCE[operator]:
                _join(operands, operators.pop())
            operators.append(operator)
            operands.append(_term(parts[index + 1]))
        while operators:
            _join(operands, operators.pop())
        return operands[0]

    def unary(self, parts: list[Any]) -> _Postfix:
        sign = parts[0]
        operations, _, end = _term(parts[1])
        operations.append(Unary(str(sign), sign.column, end))
        return operations, sign.column, end

    def parenthesis(self, parts: list[Any]) -> _Postfix:
        left, (operations, _, _), right = parts
        return operations, left.column, right.end_column


def _term(part: Any) -> _Postfix:
    """A single word, or what has been built already."""
    if not isinstance(part, Token):
        return part
    start: Any = part.column
    end: Any = part.end_column
    match part.type:
        case "NUMBER":
            return [Number(_value_of(part), start, end)], start, end
        case "NAME":
            return [Name(str(part), start, end)], start, end
        case "HERE":
            return [Here(start, end)], start, end
    return [Number(_character_of(part), start, end)], start, end


def _name(token: Any) -> Name:
    return Name(str(token), token.column, token.end_column)


def _join(operands: list[_Postfix], operator: str) -> None:
    right, _, end = operands.pop()
    left, start, _ = operands[-1]
    left += right  # in place, so that a long sum takes linear time
    left.append(Binary(operator, start, end))
    operands[-1] = left, start, end


def _value_of(token: Any) -> int:
    match = _NUMBER.fullmatch(token)
    if not match:
        help = "numbers are written 10, 1_000, 0x1F or 0b101"
        raise SyntaxFault(f"`{shown(token)}` is not a number", token.column, token.end_column, help)
    digits = match[match.lastgroup or "dec"].replace("_", "")
    if len(digits) > MAX_LITERAL_DIGITS:
        message = f"a number has at most {MAX_LITERAL_DIGITS:,} digits, and this one has {len(digits):,}"
        raise SyntaxFault(message, token.column, token.end_column)
    return int(digits, {"hex": 16, "bin": 2, "dec": 10}[match.lastgroup or "dec"])


def _character_of(token: Any) -> int:
    data = _bytes_of(token)
    if len(data) == 1:
        return data[0]
    reason = f"is {len(data)} bytes long" if data else "is empty"
    help = 'a text of several bytes is written .ascii "…"' if data else None
    raise SyntaxFault(f"a character is one byte, and this one {reason}", token.column, token.end_column, help)


def _bytes_of(token: Any) -> bytes:
    """The bytes a string or a character stands for, its quotes left out."""
    text = token[1:-1]
    if "\\" not in text:
        return text.encode()
    data = bytearray()
    position = 0
    while (backslash := text.find("\\", position)) >= 0:
        data += text[position:backslash].encode()
        code = text[backslash + 1]
        length = 2
        if code in _ESCAPES:
            data.append(_ESCAPES[code])
        elif code == "x" and re.fullmatch("[0-9A-Fa-f]{2}", digits := text[backslash + 2 : backslash + 4]):
            data.append(int(digits, 16))
            length = 4
        else:
            column = token.column + 1 + backslash
            message = f"`{shown(text[backslash : backslash + 2])}` is not an escape"
            if code == "x":
                message = "`\\x` is followed by two hexadecimal digits"
            raise SyntaxFault(message, column, column + 2, _ESCAPE_HELP)
        position = backslash + length
    data += text[position:].encode()
    return bytes(data)


def _too_large(name: str) -> Diagnostic:
    return Diagnostic(f"a source has at most {MAX_SOURCE_BYTES >> 20} MiB", file=name)
