"""Where everything goes: statements to addresses and symbols."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import count

from assembler.diagnostics import Report, SourceLine, Span, shown
from assembler.expressions import Evaluator
from assembler.header import HEADER_DIRECTIVES, Header, header_value
from assembler.image import ISAS, MAX_IMAGE_WORDS, Note
from assembler.options import Options
from assembler.scopes import Argument, Constant, Label, Predefined, Scope, Use, Valued, text_help
from assembler.syntax import Expression, Instruction, Operand, Pooled, Statement, Text


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

    @property
    def span(self) -> Span:
        return self.statement.span.within(self.scope.calls)

    @property
    def word(self) -> str:
        """The instruction or directive, in lower case; "=" for a literal."""
        return self.statement.word


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


class Layout:
    """Gives each statement its addresses, in the order they are placed.

    `here` is the address of the next word; `names` are those of the whole program, `scope` those of the place the next
    statement stands in, which is another one inside of a macro. Errors go to `report`.
    """

    def __init__(self, file: str, options: Options) -> None:
        self.report = Report(file)
        self.evaluator = Evaluator(self.report, self._literal_address)
        self.literal_uses: list[tuple[Expression, Scope, int]] = []  # in words; others are arguments
        self.literals: dict[int | bytes, int] = {}  # the addresses of those in place, by what they hold
        self.options = options
        self.header = Header(options.isa, options.word_bits, options.memory, options.input_mode)
        self.defaults = Scope(is_library=True)  # constants of the standard library, which the program's come before
        self.names = self.scope = Scope(self.defaults)
        for name, directive in (("__width", ".width"), ("__isa", ".isa"), ("__memory", ".memory")):
            self.names.symbols[name] = Predefined(name, partial(header_value, self, directive))
        self.constants: list[Valued] = []  # of all scopes, and the arguments of macros
        self.here = 0
        self.num_words = 0  # of the image so far: up to the last word placed, gaps included
        self.segments = [Segment(0, 0, 0, None)]
        self.placed: list[Placed] = []
        self.notes: list[Note] = []
        self.uses: list[Use] = []  # the program's operands, as far as a look at what they hold may say something
        self.called: set[str] = set()  # the standard macros that the program's own statements call
        self.assertions: list[Assertion] = []
        self.orders: dict[str, tuple[str, Span]] = {}  # by file
        self.is_distorted = False  # an error has moved what follows it: what depends on addresses says nothing
        self.first_word: Span | None = None
        self.first_instruction: dict[str, Span] = {}  # by file

    @property
    def isa(self) -> str:
        return self.header.isa or "sbn"

    @property
    def word_bits(self) -> int:
        return self.header.word_bits or 16

    @property
    def input_mode(self) -> str:
        return self.header.input_mode or "set"

    def release(self) -> None:
        """Gives up all it holds: much of that refers to the layout in turn."""
        vars(self).clear()

    def place(self, statement: Statement) -> None:
        """Takes in the next statement: labels, and possibly an instruction or one of DIRECTIVES."""
        self.place_labels(statement)
        body = statement.body
        if not isinstance(body, Instruction):
            return
        word = statement.word
        if word in ISAS:
            self._place_instruction(statement, body, word)
        else:
            self.check_labels(statement, body, word == ".word")
            for operand in () if word in (".word", ".equ") else body.operands:
                if operand.is_literal:
                    message = f"a literal has no place in `{word}`: it is an operand of an instruction or a macro"
                    self.error(message, operand.span)
            DIRECTIVES[word](self, statement, body)

    def place_labels(self, statement: Statement) -> None:
        """Gives the labels in front of a statement the address of the next word."""
        for label in statement.labels:
            self.define(self.scope, Label(label.text, self.here, statement.span_of(label).within(self.scope.calls)))

    def place_unknown(self, statement: Statement, body: Instruction) -> None:
        """Takes in a statement that cannot be assembled, so that the labels of its operands have a place."""
        self._define_operands(statement, body, count())
        self.is_distorted = True

    def error(self, message: str, span: Span, help: str | None = None) -> None:
        """Reports an error of the statement that is placed, with the macro calls around it."""
        self.report.add(message, span.within(self.scope.calls), help)

    def note(self, message: str, span: Span | None) -> None:
        """Takes in what is no error, and likely not what was meant."""
        if span is None:
            self.notes.append(Note(message, self.report.file))
            return
        place = span.within(self.scope.calls).outermost
        self.notes.append(Note(message, place.line.file, place.line.number, place.start))

    def define(self, scope: Scope, symbol: Label | Constant) -> None:
        """Gives a name its meaning in a scope; a second one is an error."""
        first = scope.symbols.get(symbol.name)
        kind = "label" if isinstance(symbol, Label) else "constant"
        if symbol.name.startswith("__") and not scope.is_library:
            self.report.add(f"`{shown(symbol.name)}`: names that begin with `__` are the assembler's", symbol.span)
        elif isinstance(first, Argument):
            message = f"`{shown(symbol.name)}` is a parameter of this macro and cannot be a {kind} too"
            self.report.add(message, symbol.span, "parameters stand for operands, they make no names")
        elif isinstance(first, Label | Constant):
            help = f"the first definition is at {first.span}"
            self.report.add(f"duplicate {kind} `{shown(symbol.name)}`", symbol.span, help)
        else:
            self._check_default(scope, symbol)
            scope.symbols[symbol.name] = symbol
            if isinstance(symbol, Constant):
                self.constants.append(symbol)

    def _check_default(self, scope: Scope, symbol: Label | Constant) -> None:
        """Reports a name for which a macro above has already taken the standard library's constant."""
        default = self.defaults.symbols.get(symbol.name) if scope.symbols is self.names.symbols else None
        if isinstance(default, Constant) and default.value is not None:
            help = "the standard macros above have already used its usual value"
            self.report.add(f"`{symbol.name}` must be defined above the macros that depend on it", symbol.span, help)

    def known_value(self, operand: Operand) -> int | None:
        """The value of an operand that must be known here, for what follows depends on it; None after an error."""
        expression = self.expression(operand)
        value = None if expression is None else self.evaluator.value(expression, self.scope, self.here)
        if value is None:
            self.is_distorted = True
        return value

    def check_labels(self, statement: Statement, body: Instruction, makes_words: bool) -> None:
        """Reports labels of operands, and arguments that carry one, where there is no word for them to name."""
        if makes_words and not self.scope.has_labelled:
            return
        for operand in body.operands:
            for label in () if makes_words else operand.labels:
                message = f"an operand of `{shown(body.word.text)}` is no word that a label could name"
                self.error(message, statement.span_of(label))
            if self.scope.has_labelled and isinstance(operand.value, Expression):
                if not (makes_words and operand.value.sole_name):
                    from assembler import labelled  # few arguments carry a label

                    labelled.refuse(self, operand.value)

    def expression(self, operand: Operand) -> Expression | None:
        if isinstance(operand.value, Expression):
            return operand.value
        if isinstance(operand.value, Text):
            self.error("a value is needed here, not a string", operand.span, "`.ascii` makes words from a string")
        else:
            help = "`if`, `while` and `until` take conditions, and so do `.when` and `.unless`"
            self.error("a value is needed here, not a condition", operand.span, help)
        return None

    def text(self, operand: Operand) -> Text | None:
        argument = self.scope.argument(operand)
        while argument is not None:
            operand = argument.operand
            argument = argument.scope.argument(operand)
        if isinstance(operand.value, Text):
            return operand.value
        self.error('this must be a string, "…"', operand.span)
        return None

    def counted(self, statement: Statement, body: Instruction, least: int, most: int | None) -> bool:
        """Whether a statement has a right number of operands, reported if not."""
        given = len(body.operands)
        if least <= given and (most is None or given <= most):
            return True
        from assembler import suggestions

        span = statement.span_of(body.word) if not given else statement.span
        self.error(suggestions.miscounted(body, least, most), span, suggestions.hidden_by_comment(statement))
        self.is_distorted = True
        return False

    def add(self, statement: Statement, size: int, cells: Cells) -> None:
        """Puts the words of a statement at the next addresses."""
        if not size:
            return
        if self.first_word is None:
            self.first_word = statement.span.within(self.scope.calls)
        if self.here + size > MAX_IMAGE_WORDS:
            if not self.is_distorted:
                self.error(f"the image has more than {MAX_IMAGE_WORDS:,} words from here on", statement.span)
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
            self.error(f"`{mnemonic}` is not an instruction of the `.isa` in force, `{self.isa}`", span, help)
        offsets = (0, 1, 2)
        if not self.scope.calls:
            self.first_instruction.setdefault(statement.line.file, statement.span)
            order = self.orders.get(statement.line.file)
            if len(body.operands) > 1 and order and order[0] == "destination_first":
                offsets = (1, 0, 2)
        scope = self.scope
        if scope.has_labelled:
            self.check_labels(statement, body, makes_words=True)
        self._define_operands(statement, body, offsets)
        if self.counted(statement, body, 1, 3):
            cells: list[Expression | None] = [None] * 3
            for offset, operand in zip(offsets, body.operands, strict=False):
                value = operand.value
                if isinstance(value, Text):
                    self.error("an instruction takes addresses, not a string", operand.span, text_help(value))
                    continue
                cells[offset] = value if type(value) is Expression else self.expression(operand)
                if operand.is_literal:
                    self._use_literal(operand)
                if not scope.is_library and type(value) is Expression:
                    if not value.is_plain or (offset == 2 and value.sole_name is not None):
                        self.uses.append(Use(operand, scope, self.here, ("read", "changed", "target")[offset]))
                if offset and (operand.is_literal or scope.has_literal):
                    self._check_literal(operand, is_target=offset == 2)
            if len(body.operands) == 1:
                cells[1] = cells[0]
                self._check_literal(body.operands[0], is_target=False)
            self.add(statement, 3, tuple(cells))

    def _define_operands(self, statement: Statement, body: Instruction, offsets: Iterable[int]) -> None:
        """Gives the labels of operands the addresses of their words, which stand at offsets from the first one."""
        for offset, operand in zip(offsets, body.operands, strict=False):
            for label in operand.labels:
                span = Span(operand.value.line, label.start, label.end, self.scope.calls)
                self.define(self.scope, Label(label.text, self.here + offset, span, "operand"))
            if self.scope.has_labelled:
                from assembler import labelled

                labelled.define(self, operand, self.here + offset)

    def _word(self, statement: Statement, body: Instruction) -> None:
        if self.counted(statement, body, 1, None):
            self._define_operands(statement, body, count())
            cells = tuple(self.expression(operand) for operand in body.operands)
            for operand in body.operands:
                self._use_literal(operand)
            self.add(statement, len(cells), cells)

    def _ascii(self, statement: Statement, body: Instruction, end: bytes = b"") -> None:
        if self.counted(statement, body, 1, None):
            texts = [self.text(operand) for operand in body.operands]
            data = b"".join(text.data + end for text in texts if text is not None)
            self.add(statement, len(data), data)

    def _asciz(self, statement: Statement, body: Instruction) -> None:
        self._ascii(statement, body, b"\0")

    def _space(self, statement: Statement, body: Instruction) -> None:
        if not self.counted(statement, body, 1, 2):
            return
        counted, *filling = body.operands
        fill = self.expression(filling[0]) if filling else None
        size = self.known_value(counted)
        if size is not None and size < 0:
            self.error(f"`.space` cannot make {shown(size)} words", counted.span)
        elif size is not None:
            self.add(statement, size, Fill(size, fill))

    def _org(self, statement: Statement, body: Instruction) -> None:
        if not self.counted(statement, body, 1, 1):
            return
        address = self.known_value(body.operands[0])
        if address is None:
            return
        if not 0 <= address <= MAX_IMAGE_WORDS:
            message = f"{shown(address)} is not an address of an image, which are 0 … {MAX_IMAGE_WORDS:,}"
            self.error(message, body.operands[0].span)
            self.is_distorted = True
            return
        self._begin_segment(address, statement.span.within(self.scope.calls))

    def begin_pools(self) -> None:
        """Goes on after the last word, whatever the last `.org` says."""
        if self.here != self.num_words:
            self._begin_segment(self.num_words, None)

    def _use_literal(self, operand: Operand) -> None:
        if operand.is_literal and isinstance(operand.value, Expression):
            self.literal_uses.append((operand.value, self.scope, self.here))

    def _check_literal(self, operand: Operand, is_target: bool) -> None:
        """Reports a literal that an instruction would change, or go to."""
        if operand.is_literal or self.scope.has_literal:
            from assembler.literals import check_written  # many programs have none

            check_written(self, operand, is_target)

    def _literal_address(self, held: int | bytes, pooled: Pooled, scope: Scope, line: SourceLine) -> int | None:
        from assembler.literals import address  # many programs have none

        return address(self, held, pooled, scope, line)

    def report_range(self, span: Span, value: int) -> None:
        """Reports a value that no word can hold."""
        bits = self.word_bits
        message = f"{shown(value)} is out of range for a word of {bits} bits, {-1 << bits - 1:,} … {(1 << bits) - 1:,}"
        self.report.add(message, span)

    def _begin_segment(self, address: int, span: Span | None) -> None:
        self.here = address
        self.segments.append(Segment(address, address, len(self.placed), span))

    def _equ(self, statement: Statement, body: Instruction) -> None:
        if not self.counted(statement, body, 2, 2):
            return
        named, expression = body.operands[0].value, self.expression(body.operands[1])
        name = named.sole_name if isinstance(named, Expression) else None
        if name is None:
            self.error("`.equ` gives a value to a name, and this is not a name", named.span, "write `.equ NAME, value`")
        elif expression is not None:
            span = named.span.within(self.scope.calls)
            self.define(self.scope, Constant(name.text, expression, self.scope, self.here, span))

    def _assert(self, statement: Statement, body: Instruction) -> None:
        if not self.counted(statement, body, 1, 2):
            return
        condition = self.expression(body.operands[0])
        message = self.text(body.operands[1]) if len(body.operands) > 1 else None
        if condition is not None:
            told = message.data.decode("utf-8", "replace") if message else ""
            span = condition.span.within(self.scope.calls)
            self.assertions.append(Assertion(span, condition, self.scope, self.here, told))


DIRECTIVES: dict[str, Callable[[Layout, Statement, Instruction], None]] = {
    **HEADER_DIRECTIVES,
    ".equ": Layout._equ,
    ".org": Layout._org,
    ".word": Layout._word,
    ".ascii": Layout._ascii,
    ".asciz": Layout._asciz,
    ".space": Layout._space,
    ".assert": Layout._assert,
}
