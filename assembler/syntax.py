"""What a source says, line by line, before any of it has a meaning: frozen dataclasses that know their place.

A node keeps the columns it stands in; its line is kept once, by the `Expression` or `Statement` around it. What every
expansion of the macro it stands in asks of a node is found out once, when it is made.
"""

from dataclasses import dataclass, field

from assembler.diagnostics import SourceLine, Span


@dataclass(frozen=True, slots=True)
class Number:
    """An integer or character literal."""

    value: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier, where it stands."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Here:
    """`.`, the address of the first word of the statement."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Unary:
    """One of `+ - ~ !` applied to the value before it."""

    operator: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Binary:
    """A binary operator applied to the two values before it; its columns are those of both operands."""

    operator: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Pooled:
    """`=…`, a literal: the address of a word, or of a zero-ended text, that the assembler puts after the program.

    It is all of an expression, never a part of one.
    """

    value: "Expression | bytes"
    start: int
    end: int


Operation = Number | Name | Here | Unary | Binary | Pooled


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression as its operations in postfix order: no depth of nesting needs recursion to evaluate it."""

    operations: tuple[Operation, ...]
    line: SourceLine
    start: int
    end: int
    sole_name: Name | None = field(init=False, repr=False, compare=False)  # where it is a name and nothing else
    literal: Pooled | None = field(init=False, repr=False, compare=False)  # where it is one
    is_plain: bool = field(init=False, repr=False, compare=False)  # a name without parentheses, or -1, the console

    def __post_init__(self) -> None:
        first = self.operations[0]
        is_name = isinstance(first, Name) and len(self.operations) == 1
        object.__setattr__(self, "sole_name", first if is_name else None)
        object.__setattr__(self, "literal", first if isinstance(first, Pooled) else None)
        match self.operations:
            case (Name(start=start),):
                is_plain = start == self.start
            case (Number(1), Unary("-")):
                is_plain = True
            case _:
                is_plain = False
        object.__setattr__(self, "is_plain", is_plain)

    @property
    def span(self) -> Span:
        return Span(self.line, self.start, self.end)


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal as the bytes it stands for."""

    data: bytes
    line: SourceLine
    start: int
    end: int

    @property
    def span(self) -> Span:
        return Span(self.line, self.start, self.end)


@dataclass(frozen=True, slots=True)
class Operand:
    """One operand, possibly with labels that name the address of its word."""

    labels: tuple[Name, ...]
    value: "Expression | Text | Condition"
    is_literal: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        is_literal = isinstance(self.value, Expression) and self.value.literal is not None
        object.__setattr__(self, "is_literal", is_literal)

    @property
    def span(self) -> Span:
        return self.value.span


@dataclass(frozen=True, slots=True)
class Condition:
    """`not a`, or `a lt b` and the like: what a block macro asks for, and `.when` and `.unless`."""

    relation: str  # "not", or one of RELATIONS
    left: Operand
    right: Operand | None  # None for "not"
    line: SourceLine
    start: int
    end: int

    @property
    def span(self) -> Span:
        return Span(self.line, self.start, self.end)


RELATIONS = ("lt", "le", "gt", "ge", "eq", "ne")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a macro, possibly with a default."""

    name: Name
    default: Expression | None


@dataclass(frozen=True, slots=True)
class MacroHead:
    """`.macro NAME p, q=default`."""

    word: Name
    name: Name
    parameters: tuple[Parameter, ...]
    least: int = field(init=False, repr=False, compare=False)  # arguments that a call must have

    def __post_init__(self) -> None:
        needed = (number for number, each in enumerate(self.parameters, 1) if each.default is None)
        object.__setattr__(self, "least", max(needed, default=0))


@dataclass(frozen=True, slots=True)
class Instruction:
    """A word (a mnemonic, a macro's name or, beginning with a point, a directive) and its operands."""

    word: Name
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One line that says something: labels, and possibly an instruction or the head of a macro."""

    line: SourceLine
    labels: tuple[Name, ...]
    body: Instruction | MacroHead | None
    word: str = field(init=False, repr=False, compare=False)  # that of the body in lower case, "" where there is none
    # The instruction from its word to its last operand, or the labels of a line that has no more.
    span: Span = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "word", self.body.word.text.lower() if self.body else "")
        first = self.body.word if self.body else self.labels[0]
        last = self.labels[-1].end if self.labels else first.end
        if isinstance(self.body, Instruction) and self.body.operands:
            last = self.body.operands[-1].value.end
        object.__setattr__(self, "span", Span(self.line, first.start, max(last, first.end)))

    def span_of(self, name: Name) -> Span:
        return Span(self.line, name.start, name.end)


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """`.if`, `.elif` or `.else`, and what stands below it."""

    statement: Statement
    block: "Block"


@dataclass(frozen=True, slots=True, eq=False)
class Conditional:
    """The branches of an `.if` … `.endif`, of which at most one is assembled."""

    branches: tuple[Branch, ...]

    @property
    def statement(self) -> Statement:
        return self.branches[0].statement


@dataclass(frozen=True, slots=True, eq=False)
class Repetition:
    """`.rept` … `.endr`."""

    statement: Statement
    block: "Block"
    makes_names: bool  # whether the block gives names of its own, which each repetition has for itself


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """`.pool` … `.endpool`."""

    statement: Statement
    block: "Block"


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """`.macro` … `.endm`."""

    statement: Statement
    head: MacroHead
    block: "Block"
    signature: "Signature"
    pools: "tuple[Pool, ...]" = field(init=False)  # where there is nothing else in it, and it has no parameters

    def __post_init__(self) -> None:
        pools = tuple(node for node in self.block if isinstance(node, Pool))
        object.__setattr__(self, "pools", pools if len(pools) == len(self.block) and not self.head.parameters else ())


@dataclass(frozen=True, slots=True)
class Signature:
    """What a macro says of itself: `.keeps`, `.texts`, and how a block macro is parted and closed."""

    keeps: frozenset[str] = frozenset()  # parameters whose words have their values again in the end
    texts: frozenset[str] = frozenset()  # parameters for which a string stands for the address of a text
    takes_body: bool = False
    parts: tuple[tuple[str, str], ...] = ()  # words that part the body; the names that say whether one did
    closer: str = "end"
    closing_parameters: tuple[Parameter, ...] = ()  # what is given behind the closing word


@dataclass(frozen=True, slots=True, eq=False)
class BlockCall:
    """A call of a block macro with the body it was given, by part; the part before the first word is ""."""

    statement: Statement
    definition: Definition
    parts: dict[str, "Block"]
    closing: Statement | None  # None after an error


Node = Statement | Conditional | Repetition | Pool | Definition | BlockCall
Block = tuple[Node, ...]
