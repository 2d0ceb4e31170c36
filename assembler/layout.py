"""Where everything goes: statements to addresses and symbols."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count

from assembler.diagnostics import Report, Span, did_you_mean, shown
from assembler.expressions import Constant, Evaluator, Label, Predefined, Scope
from assembler.image import (
    INPUT_MODES,
    ISAS,
    MAX_IMAGE_WORDS,
    MAX_MEMORY_WORDS,
    MAX_WORD_BITS,
    MIN_WORD_BITS,
    default_memory,
)
from assembler.options import Options
from assembler.syntax import Expression, Here, Instruction, Name, Operand, Statement, Text

ORDERS = ("source_first", "destination_first")


@dataclass(frozen=True, slots=True)
class Fill:
    """`count` words of one value."""

    count: int
    value: Expression | None  # None: zero


Cells = tuple[Expression | None, ...] | bytes | Fill  # in a tuple None is the address of the next statement


@dataclass(frozen=True, slots=True)
class Placed:
    """A statement that makes words, and its first address."""

    statement: Statement
    scope: Scope
    here: int
    size: int
    cells: Cells


@dataclass(frozen=True, slots=True)
class Assertion:
    """A condition to look at once every name is known."""

    span: Span
    condition: Expression
    scope: Scope
    here: int
    message: str


@dataclass(slots=True)
class Segment:
    """The addresses filled without an `.org` between them; `span` is that of the `.org` they begin at."""

    start: int
    end: int
    first_placed: int  # index of the first statement placed in it
    span: Span | None


@dataclass(slots=True)
class Header:
    """What the program says about its machine, as far as it says it; and where it says it."""

    isa: str | None = None
    word_bits: int | None = None
    memory: int | None = None
    input_mode: str | None = None
    entry: tuple[Expression, Scope, int] | None = None
    stated: dict[str, Span] = field(default_factory=dict)  # by directive
    read: dict[str, Span] = field(default_factory=dict)  # by directive: where the layout depended on it


class Layout:
    """Gives each statement its addresses, in the order they are placed.

    `here` is the address of the next word; `scope` the names of the whole program. Errors go to `report`.
    """

    def __init__(self, file: str, options: Options) -> None:
        self.report = Report(file)
        self.evaluator = Evaluator(self.report)
        self.options = options
        self.header = Header(options.isa, options.word_bits, options.memory, options.input_mode)
        self.scope = Scope()
        self.scope.symbols["__width"] = Predefined("__width", lambda span: self._header_value(".width", span))
        self.scope.symbols["__isa"] = Predefined("__isa", lambda span: self._header_value(".isa", span))
        self.scope.symbols["__memory"] = Predefined("__memory", lambda span: self._header_value(".memory", span))
        self.here = 0
        self.num_words = 0  # of the image so far: up to the last word placed, gaps included
        self.segments = [Segment(0, 0, 0, None)]
        self.placed: list[Placed] = []
        self.assertions: list[Assertion] = []
        self.orders: dict[str, tuple[str, Span]] = {}  # by file
        self.is_distorted = False  # an error has moved what follows it: what depends on addresses says nothing
        self._first_word: Span | None = None
        self._first_instruction: dict[str, Span] = {}  # by file

    @property
    def isa(self) -> str:
        return self.header.isa or "sbn"

    @property
    def word_bits(self) -> int:
        return self.header.word_bits or 16

    @property
    def input_mode(self) -> str:
        return self.header.input_mode or "set"

    def place(self, statement: Statement) -> None:
        """Takes in the next statement."""
        for label in statement.labels:
            self.define(self.scope, Label(label.text, self.here, statement.span_of(label)))
        body = statement.body
        if body is None:
            return
        word = body.word.text.lower()
        if word in ISAS and isinstance(body, Instruction):
            self._place_instruction(statement, body, word)
        elif word in _DIRECTIVES and isinstance(body, Instruction):
            for operand in () if word == ".word" else body.operands:
                for label in operand.labels:
                    self.report.add(
                        f"an operand of `{word}` is no word that a label could name", statement.span_of(label)
                    )
            _DIRECTIVES[word](self, statement, body)
        else:
            if isinstance(body, Instruction):
                self._define_operands(statement, body, count())
            self.is_distorted = True
            span = statement.span_of(body.word)
            kind, known = ("directive", _DIRECTIVES) if word.startswith(".") else ("instruction", ISAS)
            self.report.add(f"unknown {kind} `{shown(body.word.text)}`", span, did_you_mean(word, known))

    def define(self, scope: Scope, symbol: Label | Constant) -> None:
        """Gives a name its meaning in a scope; a second one is an error."""
        first = scope.symbols.get(symbol.name)
        if symbol.name.startswith("__"):
            self.report.add(f"`{shown(symbol.name)}`: names that begin with `__` are the assembler's", symbol.span)
        elif isinstance(first, Label | Constant):
            kind = "label" if isinstance(symbol, Label) else "constant"
            help = f"the first definition is at {first.span}"
            self.report.add(f"duplicate {kind} `{shown(symbol.name)}`", symbol.span, help)
        else:
            scope.symbols[symbol.name] = symbol

    def known_value(self, operand: Operand) -> int | None:
        """The value of an operand that must be known here, for what follows depends on it; None after an error."""
        expression = self._expression(operand)
        value = None if expression is None else self.evaluator.value(expression, self.scope, self.here)
        if value is None:
            self.is_distorted = True
        return value

    def _expression(self, operand: Operand) -> Expression | None:
        if isinstance(operand.value, Expression):
            return operand.value
        self.report.add("a string cannot stand here, but a value", operand.span, "`.ascii` makes words of a string")
        return None

    def _text(self, operand: Operand) -> Text | None:
        if isinstance(operand.value, Text):
            return operand.value
        self.report.add('this must be a string, "…"', operand.span)
        return None

    def _counted(self, statement: Statement, body: Instruction, least: int, most: int | None) -> bool:
        """Whether a statement has a right number of operands, reported if not."""
        given = len(body.operands)
        if least <= given and (most is None or given <= most):
            return True
        wanted = f"{least} or more" if most is None else str(least) if least == most else f"{least} to {most}"
        noun = "operand" if wanted == "1" else "operands"
        message = f"`{shown(body.word.text)}` takes {wanted} {noun}, and this one has {given or 'none'}"
        self.report.add(message, statement.span_of(body.word) if not given else statement.span)
        self.is_distorted = True
        return False

    def _add(self, statement: Statement, size: int, cells: Cells) -> None:
        """Puts the words of a statement at the next addresses."""
        if not size:
            return
        if self._first_word is None:
            self._first_word = statement.span
        if self.here + size > MAX_IMAGE_WORDS:
            if not self.is_distorted:
                self.report.add(f"the image has more than {MAX_IMAGE_WORDS:,} words from here on", statement.span)
            self.is_distorted = True
            return
        self.placed.append(Placed(statement, self.scope, self.here, size, cells))
        self.here += size
        self.segments[-1].end = self.here
        self.num_words = max(self.num_words, self.here)

    def _place_instruction(self, statement: Statement, body: Instruction, mnemonic: str) -> None:
        if mnemonic != self.isa:
            span = statement.span_of(body.word)
            help = f"`.isa {mnemonic}`, above the first word, asks for the other one"
            self.report.add(f"`{mnemonic}` is not an instruction of the `.isa` in force, `{self.isa}`", span, help)
        self._first_instruction.setdefault(statement.line.file, statement.span)
        order = self.orders.get(statement.line.file)
        offsets = (1, 0, 2) if len(body.operands) > 1 and order and order[0] == "destination_first" else (0, 1, 2)
        self._define_operands(statement, body, offsets)
        if self._counted(statement, body, 1, 3):
            cells: list[Expression | None] = [None] * 3
            for offset, operand in zip(offsets, body.operands, strict=False):
                cells[offset] = self._expression(operand)
            if len(body.operands) == 1:
                cells[1] = cells[0]
            self._add(statement, 3, tuple(cells))

    def _define_operands(self, statement: Statement, body: Instruction, offsets: Iterable[int]) -> None:
        """Gives the labels of operands the addresses of their words, which stand at offsets from the first one."""
        for offset, operand in zip(offsets, body.operands, strict=False):
            for label in operand.labels:
                self.define(self.scope, Label(label.text, self.here + offset, statement.span_of(label)))

    def _word(self, statement: Statement, body: Instruction) -> None:
        if self._counted(statement, body, 1, None):
            self._define_operands(statement, body, count())
            cells = tuple(self._expression(operand) for operand in body.operands)
            self._add(statement, len(cells), cells)

    def _ascii(self, statement: Statement, body: Instruction, end: bytes = b"") -> None:
        if self._counted(statement, body, 1, None):
            texts = [self._text(operand) for operand in body.operands]
            data = b"".join(text.data + end for text in texts if text is not None)
            self._add(statement, len(data), data)

    def _asciz(self, statement: Statement, body: Instruction) -> None:
        self._ascii(statement, body, b"\0")

    def _space(self, statement: Statement, body: Instruction) -> None:
        if not self._counted(statement, body, 1, 2):
            return
        counted, *filling = body.operands
        fill = self._expression(filling[0]) if filling else None
        size = self.known_value(counted)
        if size is not None and size < 0:
            self.report.add(f"`.space` cannot make {shown(size)} words", counted.span)
        elif size is not None:
            self._add(statement, size, Fill(size, fill))

    def _org(self, statement: Statement, body: Instruction) -> None:
        if not self._counted(statement, body, 1, 1):
            return
        address = self.known_value(body.operands[0])
        if address is None:
            return
        if not 0 <= address <= MAX_IMAGE_WORDS:
            message = f"{shown(address)} is not an address of an image, which are 0 … {MAX_IMAGE_WORDS:,}"
            self.report.add(message, body.operands[0].span)
            self.is_distorted = True
            return
        self.here = address
        self.segments.append(Segment(address, address, len(self.placed), statement.span))

    def _equ(self, statement: Statement, body: Instruction) -> None:
        if not self._counted(statement, body, 2, 2):
            return
        named, expression = body.operands[0].value, self._expression(body.operands[1])
        name = named.sole_name if isinstance(named, Expression) else None
        if name is None:
            self.report.add("`.equ` gives a value to a name, and this is none", named.span, "write `.equ NAME, value`")
        elif expression is not None:
            self.define(self.scope, Constant(name.text, expression, self.scope, self.here, named.span))

    def _assert(self, statement: Statement, body: Instruction) -> None:
        if not self._counted(statement, body, 1, 2):
            return
        condition = self._expression(body.operands[0])
        message = self._text(body.operands[1]) if len(body.operands) > 1 else None
        if condition is not None:
            told = message.data.decode("utf-8", "replace") if message else ""
            self.assertions.append(Assertion(condition.span, condition, self.scope, self.here, told))

    def _entry(self, statement: Statement, body: Instruction) -> None:
        if self._counted(statement, body, 1, 1) and self._stated_once(".entry", statement):
            expression = self._expression(body.operands[0])
            if expression is not None:
                self.header.entry = (expression, self.scope, self.here)

    def _order(self, statement: Statement, body: Instruction) -> None:
        file = statement.line.file
        order = self._choice(statement, body, ORDERS)
        if order is None:
            return
        if file in self.orders:
            help = f"the first is at {self.orders[file][1]}"
            self.report.add("`.order` is stated twice in this file", statement.span, help)
        elif file in self._first_instruction:
            help = f"the first one is at {self._first_instruction[file]}"
            self.report.add("`.order` must stand above the first instruction of its file", statement.span, help)
        else:
            self.orders[file] = (order, statement.span)

    def _isa(self, statement: Statement, body: Instruction) -> None:
        isa = self._choice(statement, body, ISAS)
        if isa is not None and self._fits_header(".isa", statement, isa, self.options.isa):
            self.header.isa = isa

    def _input(self, statement: Statement, body: Instruction) -> None:
        mode = self._choice(statement, body, INPUT_MODES)
        if mode is not None and self._fits_header(".input", statement, mode, self.options.input_mode):
            self.header.input_mode = mode

    def _width(self, statement: Statement, body: Instruction) -> None:
        bits = self._number(statement, body, MIN_WORD_BITS, MAX_WORD_BITS, "bits")
        if bits is not None and self._fits_header(".width", statement, bits, self.options.word_bits):
            self.header.word_bits = bits

    def _memory(self, statement: Statement, body: Instruction) -> None:
        size = self._number(statement, body, 1, MAX_MEMORY_WORDS, "words")
        if size is not None and self._fits_header(".memory", statement, size, self.options.memory):
            self.header.memory = size

    def _choice(self, statement: Statement, body: Instruction, choices: tuple[str, ...]) -> str | None:
        """The one of some words that a directive names, in any case; None after an error."""
        if not self._counted(statement, body, 1, 1):
            return None
        value = body.operands[0].value
        name = value.sole_name if isinstance(value, Expression) else None
        if name is not None and name.text.lower() in choices:
            return name.text.lower()
        wanted = ", ".join(f"`{choice}`" for choice in choices[:-1]) + f" or `{choices[-1]}`"
        help = did_you_mean(name.text.lower(), choices) if name else None
        self.report.add(f"`{body.word.text}` must be {wanted}", body.operands[0].span, help)
        return None

    def _number(self, statement: Statement, body: Instruction, least: int, most: int, what: str) -> int | None:
        """The number a directive states; None after an error."""
        if not self._counted(statement, body, 1, 1):
            return None
        value = self.known_value(body.operands[0])
        if value is not None and not least <= value <= most:
            message = f"`{body.word.text}` must be {least} … {most:,} {what}, not {shown(value)}"
            self.report.add(message, body.operands[0].span)
            return None
        return value

    def _fits_header(self, directive: str, statement: Statement, value: object, asked: object) -> bool:
        """Whether a directive may state a value here, reported if not."""
        if not self._stated_once(directive, statement):
            return False
        if self._first_word is not None:
            help = f"the first word is at {self._first_word}"
            self.report.add(f"`{directive}` must stand above the first word", statement.span, help)
            return False
        if directive in self.header.read:
            help = f"it was used at {self.header.read[directive]}"
            self.report.add(f"`{directive}` must stand above what depends on it", statement.span, help)
            return False
        if asked is not None and asked != value:
            message = f"`{directive} {value}` contradicts the {asked} asked for outside the source"
            self.report.add(message, statement.span)
            return False
        return True

    def _stated_once(self, directive: str, statement: Statement) -> bool:
        first = self.header.stated.setdefault(directive, statement.span)
        if first is not statement.span and first != statement.span:
            self.report.add(f"`{directive}` is stated twice", statement.span, f"the first is at {first}")
            return False
        return True

    def _header_value(self, directive: str, span: Span) -> int:
        """`__width`, `__isa` or `__memory`, needed at a place."""
        if not self.evaluator.complete:
            self.header.read.setdefault(directive, span)
        match directive:
            case ".width":
                return self.word_bits
            case ".isa":
                return ISAS.index(self.isa)
        if self.header.memory is not None:
            return self.header.memory
        return default_memory(self.word_bits, self.num_words if self.evaluator.complete else 0)


_DIRECTIVES: dict[str, Callable[[Layout, Statement, Instruction], None]] = {
    ".isa": Layout._isa,
    ".width": Layout._width,
    ".memory": Layout._memory,
    ".input": Layout._input,
    ".order": Layout._order,
    ".entry": Layout._entry,
    ".equ": Layout._equ,
    ".org": Layout._org,
    ".word": Layout._word,
    ".ascii": Layout._ascii,
    ".asciz": Layout._asciz,
    ".space": Layout._space,
    ".assert": Layout._assert,
}


def depends_on_addresses(expression: Expression) -> bool:
    return any(isinstance(operation, Name | Here) for operation in expression.operations)
