"""The names of a program and what they mean where."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from assembler.diagnostics import Span, shown
from assembler.syntax import BlockCall, Definition, Expression, Operand, Statement, Text


@dataclass(frozen=True, slots=True)
class Label:
    """A name for an address, or for a number that the assembler counts, such as that of a repetition."""

    name: str
    address: int
    span: Span
    names: Literal["place", "operand", "number"] = "place"  # "operand": a word inside of an instruction


@dataclass(slots=True, eq=False)
class Constant:
    """A name for an expression, which is evaluated in the scope and with the `.` of the place it was written at."""

    name: str
    expression: Expression
    scope: "Scope"
    here: int
    span: Span
    value: "int | Failure | None" = None  # None: not evaluated yet
    is_read: bool = False


@dataclass(slots=True, eq=False)
class Argument:
    """A parameter of a macro, and what a call gives for it: an operand, in the scope and with the `.` of the call."""

    name: str
    operand: Operand
    scope: "Scope"
    here: int
    value: "int | Failure | None" = None  # None: not evaluated yet
    is_used: bool = False  # whether the operand's labels, if it has any, have named a word
    condition: str | None = None  # what it asks, where it is a condition; its sides are arguments of their own
    is_kept: bool = False  # whether the macro says that the word has its value again in the end

    def __post_init__(self) -> None:
        if not isinstance(self.operand.value, Expression):
            text = self.operand.value if isinstance(self.operand.value, Text) else None
            kind = "a condition" if text is None else "a string"
            message = f"the macro needs the value of this argument, and {kind} has none"
            self.value = Failure(message, self.span, None if text is None else text_help(text))

    @property
    def expression(self) -> Expression:
        assert isinstance(self.operand.value, Expression), "all else is a Failure from the start"
        return self.operand.value

    @property
    def span(self) -> Span:
        return self.operand.span.within(self.scope.calls)


@dataclass(frozen=True, slots=True)
class Predefined:
    """A name the assembler itself gives a value; asking for it tells the assembler where it was needed."""

    name: str
    value: Callable[[Callable[[], Span]], int]


Valued = Constant | Argument
Symbol = Label | Valued | Predefined


@dataclass(slots=True, eq=False)
class Scope:
    """The names of one place, those of the scopes around it included.

    `calls` are the macro calls the place was expanded from, innermost first.
    """

    parent: "Scope | None" = None
    symbols: dict[str, Symbol] = field(default_factory=dict)
    calls: tuple[Span, ...] = ()
    is_library: bool = False  # the standard library may give names the assembler keeps for itself
    has_labelled: bool = False  # some argument here, or around, carries a label
    has_literal: bool = False  # some argument here, or around, is a literal
    block: "BlockUse | None" = None  # the use of a block macro this is the expansion of
    around: "BlockUse | None" = None  # the innermost block whose body the place stands in

    def within(self, symbols: "dict[str, Symbol]", calls: "tuple[Span, ...] | None" = None) -> "Scope":
        """A scope for names of its own in this one; `calls` where it is that of another expansion."""
        return Scope(
            self,
            symbols,
            self.calls if calls is None else calls,
            self.is_library,
            self.has_labelled,
            self.has_literal,
            self.block,
            self.around,
        )

    def find(self, name: str) -> Symbol | None:
        scope: Scope | None = self
        while scope is not None:
            symbol = scope.symbols.get(name)
            if symbol is not None:
                return symbol
            scope = scope.parent
        return None

    def argument(self, operand: Operand) -> Argument | None:
        """The argument an operand stands for, where it is the name of a parameter and nothing else."""
        if type(operand.value) is not Expression or operand.value.sole_name is None:
            return None
        symbol = self.find(operand.value.sole_name.text)
        return symbol if type(symbol) is Argument else None

    def names(self) -> Iterator[str]:
        scope: Scope | None = self
        while scope is not None:
            yield from scope.symbols
            scope = scope.parent


@dataclass(slots=True, eq=False)
class BlockUse:
    """A block macro at work: its body, where that was written, and the ways out of it."""

    call: BlockCall
    scope: Scope  # the body's
    files: tuple[str, ...]  # those the body stands in
    outer: "BlockUse | None"
    depth: int
    exits: dict[str, tuple[Statement, Scope]] = field(default_factory=dict)  # by the statement that takes it: `.exit`


class Use(NamedTuple):
    """An operand of the program, and what an instruction or a standard macro takes it for.

    role: of an instruction "read", "changed" or "target"; of a macro one of `uses.ROLES`' values, "target" or "place".
    """

    operand: Operand
    scope: Scope
    here: int
    role: str
    definition: Definition | None = None  # the macro's
    parameter: str = ""  # the macro's name for it


@dataclass(frozen=True, slots=True)
class Failure:
    """In place of a value: why there is none. Without a span the reason has been, or will be, reported."""

    message: str = ""
    span: Span | None = None
    help: str | None = None


def text_help(text: Text) -> str:
    """What to write where a string stands in place of an address."""
    written = shown(text.line.text[text.start - 1 : text.end - 1])
    if len(text.data) == 1:
        inner = "\\'" if text.data == b"'" else written[1:-1]
        return f"write `='{inner}'` for the character, or `={written}` for the address of the text"
    return f"write `={written}` for the address of the text, or a label with `.asciz {written}` below it"
