"""The value of an expression: exact integers of bounded size, and the names they are made of."""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from assembler.diagnostics import Report, SourceLine, Span, did_you_mean, shown
from assembler.scopes import Argument, Constant, Failure, Label, Predefined, Scope, Valued
from assembler.syntax import (
    Binary,
    Expression,
    Here,
    Name,
    Number,
    Pooled,
    Unary,
)

MAX_VALUE_BITS = 4_096
_SHORT = 50  # constants within constants that are settled without a list of what is under way
_MAX_SUGGESTIONS = 20  # looking for a near name takes time for each name there is


NUMBER_NEEDED = "a number is needed here, `{}`; a literal is the address of a word that holds it"
_KNOWN = Failure()  # there is no value, and the report says why
_NOT_YET = Failure()  # there is no value so far, and `report_needed_above` will say why


@dataclass(slots=True, eq=False)
class _Frame:
    """An expression under evaluation, and the names in it that were not looked at yet."""

    constant: Valued | None
    expression: Expression
    scope: Scope
    here: int
    names: Iterator[Name]


class Evaluator:
    """Gives expressions their values, and reports why where there is none.

    `complete` says whether every name of the program is known by now. Until it is, a name that is not known yet may
    still come: it is kept for `report_needed_above`. `lacks_names` says that an error has left out a part of the
    program: a name that is not known from then on may be a right one, and is not reported.
    """

    def __init__(
        self, report: Report, literal_address: "Callable[[int | bytes, Pooled, Scope, SourceLine], int | None]"
    ) -> None:
        self.report = report
        self._literal_address = literal_address  # once all names are known; None after an error
        self.complete = False
        self.lacks_names = False
        self._needed_above: list[tuple[Name, Scope, Span, bool]] = []  # and whether names were lacking even before
        self._suggestions: dict[str, str | None] = {}

    def value(self, expression: Expression, scope: Scope, here: int) -> int | None:
        """The value, or None where there is none and the report says why."""
        result = self._known(expression, scope, here)
        if result is None:
            result = self._settle(_Frame(None, expression, scope, here, _names(expression)))
        if isinstance(result, int):
            return result
        if result.span is not None:
            self.report.add(result.message, result.span, result.help)
        return None

    def settle(self, constant: Valued) -> None:
        """Gives a constant its value, or reports why it has none."""
        constant.value = self._known(constant.expression, constant.scope, constant.here)
        if constant.value is None:
            self._settle(_frame_of(constant))

    def report_needed_above(self) -> None:
        """Reports each name that the layout needed before it was known."""
        for name, scope, span, lacked_names in self._needed_above:
            symbol = scope.find(name.text)
            if isinstance(symbol, Label | Valued):
                message = f"the layout depends on `{shown(name.text)}` here, which is defined below"
                self.report.add(message, span, f"its definition at {symbol.span} must stand above this line")
            elif not lacked_names:
                self._report_undefined(name, scope, span)
        self._needed_above.clear()

    def _known(self, expression: Expression, scope: Scope, here: int, depth: int = 0) -> int | None:
        """The value where nothing stands in its way, as almost always; None where `_settle` has to find out why.

        It reports nothing. Constants and arguments are settled on the way, as far as a short recursion goes.
        """
        name = expression.sole_name
        if name is not None:  # as most operands are
            symbol = scope.find(name.text)
            if type(symbol) is Label:
                return symbol.address
            if type(symbol) is Argument and type(symbol.value) is int:
                return symbol.value
        values: list[int] = []
        for operation in expression.operations:
            if type(operation) is Number:
                values.append(operation.value)
            elif type(operation) is Name:
                symbol = scope.find(operation.text)
                if type(symbol) is Label:
                    values.append(symbol.address)
                elif type(symbol) is Argument or type(symbol) is Constant:
                    if symbol.value is None and depth < _SHORT:
                        symbol.value = self._known(symbol.expression, symbol.scope, symbol.here, depth + 1)
                    if type(symbol.value) is not int:
                        return None
                    if type(symbol) is Constant:
                        symbol.is_read = True
                    values.append(symbol.value)
                elif type(symbol) is Predefined:
                    values.append(symbol.value(partial(_span_in, expression, operation, scope)))
                else:
                    return None
            elif type(operation) is Here:
                values.append(here)
            elif type(operation) is Binary:
                right = values.pop()
                value = _binary(operation.operator, values.pop(), right, expression.span)
                if type(value) is not int:
                    return None
                values.append(value)
            elif type(operation) is Unary:
                values.append(_UNARY[operation.operator](values.pop()))
                if values[-1].bit_length() > MAX_VALUE_BITS:
                    return None
            else:
                return None
        return values[0]

    def _settle(self, root: _Frame) -> int | Failure:
        """Evaluates the constants an expression is made of, the innermost first, then the expression.

        The frames are a list and no recursion: a chain of constants may be as long as the program.
        """
        frames = [root]
        under_way = {} if root.constant is None else {root.constant: None}
        unsettled: dict[Valued, Failure] = {}
        while True:
            frame = frames[-1]
            for name in frame.names:
                symbol = frame.scope.find(name.text)
                if not isinstance(symbol, Valued) or symbol.value is not None or symbol in unsettled:
                    continue
                if symbol in under_way:
                    self._report_cycle(symbol, list(under_way))
                    unsettled[symbol] = _KNOWN
                    continue
                under_way[symbol] = None
                frames.append(_frame_of(symbol))
                break
            else:
                result = self._compute(frame, unsettled, root)
                if frame.constant is not None:
                    del under_way[frame.constant]
                    self._keep(frame.constant, result, unsettled)
                frames.pop()
                if not frames:
                    return result

    def _keep(self, constant: Valued, result: int | Failure, unsettled: dict[Valued, Failure]) -> None:
        """Settles a constant, unless more names have to be known for that."""
        if isinstance(result, int):
            constant.value = result
        elif result is _NOT_YET:
            unsettled[constant] = result
        else:
            if result.span is not None:
                self.report.add(result.message, result.span, result.help)
            constant.value = _KNOWN

    def _compute(self, frame: _Frame, unsettled: dict[Valued, Failure], root: _Frame) -> int | Failure:
        """The value of an expression all of whose constants are settled, for the sake of that of `root`."""
        line, calls = frame.expression.line, frame.scope.calls
        values: list[int | Failure] = []
        for operation in frame.expression.operations:
            match operation:
                case Number(value):
                    values.append(value)
                case Here():
                    values.append(frame.here)
                case Pooled():
                    values.append(self._address_of_literal(operation, frame, unsettled, root))
                case Name():
                    values.append(self._value_of_name(operation, frame, unsettled, root))
                case Unary(sign, start, end):
                    value = values.pop()
                    if isinstance(value, int):
                        value = _bounded(_UNARY[sign](value), Span(line, start, end, calls))
                    values.append(value)
                case Binary(sign, start, end):
                    right, left = values.pop(), values.pop()
                    values.append(_binary(sign, left, right, Span(line, start, end, calls)))
        [result] = values
        return result

    def _address_of_literal(
        self, pooled: Pooled, frame: _Frame, unsettled: dict[Valued, Failure], root: _Frame
    ) -> int | Failure:
        line = frame.expression.line
        if not self.complete:
            number = line.text[pooled.start : pooled.end - 1]
            message = NUMBER_NEEDED.format(shown(number))
            return Failure(message, Span(line, pooled.start, pooled.end, frame.scope.calls))
        held: int | Failure | bytes
        if isinstance(pooled.value, bytes):
            held = pooled.value
        else:
            held = self._compute(_Frame(None, pooled.value, frame.scope, frame.here, iter(())), unsettled, root)
        if isinstance(held, Failure):
            return held
        address = self._literal_address(held, pooled, frame.scope, line)
        return _KNOWN if address is None else address

    def _value_of_name(
        self, name: Name, frame: _Frame, unsettled: dict[Valued, Failure], root: _Frame
    ) -> int | Failure:
        match frame.scope.find(name.text):
            case Label(address=address):
                return address
            case Predefined(value=value):
                return value(partial(_span_in, frame.expression, name, frame.scope))
            case Constant(value=value) | Argument(value=value) as constant:
                if isinstance(constant, Constant):
                    constant.is_read = True
                return unsettled.get(constant, _KNOWN) if value is None else value
        span = _span_in(frame.expression, name, frame.scope)
        if self.complete:
            if not self.lacks_names:
                self._report_undefined(name, frame.scope, span)
            return _KNOWN
        wanted = root.expression.span.within(root.scope.calls)
        is_here = frame.constant is None or isinstance(frame.constant, Argument)
        needed = (name, frame.scope, span if is_here else wanted, self.lacks_names)
        self._needed_above.append(needed)
        return _NOT_YET

    def _report_undefined(self, name: Name, scope: Scope, span: Span) -> None:
        if name.text not in self._suggestions and len(self._suggestions) < _MAX_SUGGESTIONS:
            from assembler import habits

            near = did_you_mean(name.text, scope.names())
            self._suggestions[name.text] = near or habits.help_for_name(name.text)
        self.report.add(f"undefined label `{shown(name.text)}`", span, self._suggestions.get(name.text))

    def _report_cycle(self, constant: Valued, under_way: list[Valued]) -> None:
        cycle = [other.name for other in under_way[under_way.index(constant) :]]
        names = [constant.name, *(cycle[1:] if len(cycle) <= 8 else [*cycle[1:4], "…", *cycle[-2:]]), constant.name]
        chain = " → ".join(f"`{shown(name)}`" for name in names)
        self.report.add(f"`{shown(constant.name)}` is defined by itself", constant.span, f"the cycle is {chain}")


def _span_in(expression: Expression, name: Name, scope: Scope) -> Span:
    """Where a name of an expression stands."""
    return Span(expression.line, name.start, name.end, scope.calls)


def _frame_of(constant: Valued) -> _Frame:
    return _Frame(constant, constant.expression, constant.scope, constant.here, _names(constant.expression))


def _names(expression: Expression) -> Iterator[Name]:
    """The names in an expression; those in a literal, too."""
    first = expression.operations[0]
    if isinstance(first, Pooled):
        return iter(()) if isinstance(first.value, bytes) else _names(first.value)
    return (operation for operation in expression.operations if isinstance(operation, Name))


_UNARY: dict[str, Callable[[int], int]] = {
    "+": operator.pos,
    "-": operator.neg,
    "~": operator.invert,
    "!": lambda value: int(not value),
}
_BINARY: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,
    "%": operator.mod,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "==": lambda left, right: int(left == right),
    "!=": lambda left, right: int(left != right),
    "<": lambda left, right: int(left < right),
    "<=": lambda left, right: int(left <= right),
    ">": lambda left, right: int(left > right),
    ">=": lambda left, right: int(left >= right),
    "&&": lambda left, right: int(bool(left) and bool(right)),
    "||": lambda left, right: int(bool(left) or bool(right)),
}


def _binary(sign: str, left: int | Failure, right: int | Failure, span: Span) -> int | Failure:
    if isinstance(left, Failure):
        return left
    # As in C, the right side of these does not matter where the left one decides.
    if sign == "&&" and left == 0:
        return 0
    if sign == "||" and left != 0:
        return 1
    if isinstance(right, Failure):
        return right
    if sign in ("<<", ">>"):
        return _shift(left, right if sign == "<<" else -right, right, span)
    if sign in ("/", "%") and right == 0:
        return Failure("division by zero", span)
    return _bounded(_BINARY[sign](left, right), span)


def _shift(value: int, left: int, count: int, span: Span) -> int | Failure:
    """`value` shifted to the left, or to the right where `left` is negative, by `count`."""
    if count < 0:
        return Failure(f"the shift count {shown(count)} is negative", span)
    if left <= 0:
        return value >> min(count, MAX_VALUE_BITS)
    # The size of the result is known before there is one: a huge count must not make a huge number.
    if value and value.bit_length() + left > MAX_VALUE_BITS:
        return _too_large(span)
    return value << left if value else 0


def _bounded(value: int, span: Span) -> int | Failure:
    return value if value.bit_length() <= MAX_VALUE_BITS else _too_large(span)


def _too_large(span: Span) -> Failure:
    return Failure(f"this value has more than {MAX_VALUE_BITS:,} bits", span)
