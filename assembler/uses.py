"""Operands that are right by the rules and likely not what was meant: what they hold beside what they are used for.

An address is a label and possibly a distance from it. What is none is a number, or computed from addresses in a way
that makes no address; and an address may be that of an instruction, of a text, or of the words of another label.
"""

import bisect
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from assembler.diagnostics import shown
from assembler.image import ISAS
from assembler.layout import Fill, Layout, Placed
from assembler.library import standard_library
from assembler.scopes import Argument, Constant, Label, Scope, Use
from assembler.syntax import (
    Binary,
    Block,
    Conditional,
    Definition,
    Expression,
    Here,
    Instruction,
    Name,
    Number,
    Pool,
    Pooled,
    Repetition,
    Statement,
    Unary,
)

_MOST = 5  # noted of one program
_DEEPEST = 50  # constants within constants that are looked into
_RETURNS = frozenset(("ret", "proc", "pop", "unwind"))
_PARENTHESES = "parentheses change nothing here; `load p, a` reads the word whose address is in `p`"


class _Kind(NamedTuple):
    """How often an expression counts addresses: 0 in a number, 1 in an address, which is one from `base` on.

    addresses: None where it is neither.
    """

    addresses: int | None
    base: Label | None = None  # None: none, or several
    has_labels: bool = False


def note_uses(layout: Layout) -> None:
    """Notes operands that hold something else than what they are used for; a few at most."""
    symbols = layout.names.symbols.items()
    if not any(isinstance(symbol, Label) and not name.startswith("__") for name, symbol in symbols):
        return  # it is written in numbers throughout
    uses = _Uses(layout)
    told = set()
    for use in layout.uses:
        found = uses.told_of(use)
        if found is not None and found not in told:
            told.add(found)
            message, scope, value = found
            layout.note(message, value.span.within(scope.calls))
            if len(told) == _MOST:
                return
    if "call" in layout.called and not layout.called & _RETURNS:
        use = next(use for use in layout.uses if use.definition and use.definition.head.name.text == "call")
        message = "a routine that is called goes back by `ret`, and there is none; `proc` … `endproc` supplies it"
        layout.note(message, use.operand.span.within(use.scope.calls))


class _Uses:
    """What a program's addresses hold."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.placed = sorted(layout.placed, key=lambda each: each.here)
        self.starts = [each.here for each in self.placed]
        symbols = layout.names.symbols.values()
        self.labels = sorted({symbol.address for symbol in symbols if isinstance(symbol, Label)})
        self.written = {
            self.address(use.operand.value, use.scope, use.here)
            for use in layout.uses
            if isinstance(use.operand.value, Expression) and not use.operand.is_literal and _is_changed(use)
        }

    def address(self, expression: Expression, scope: Scope, here: int) -> int:
        """The word that an expression makes, unsigned."""
        value = self.layout.evaluator.value(expression, scope, here)
        assert value is not None, "the program has no errors"
        return value % (1 << self.layout.word_bits)

    def holder(self, address: int) -> Placed | None:
        """The statement that made the word at an address."""
        index = bisect.bisect_right(self.starts, address) - 1
        found = self.placed[index] if index >= 0 else None
        return found if found is not None and address < found.here + found.size else None

    def end(self, address: int) -> int:
        """The address of the next label, up to which words belong to the one at this address."""
        index = bisect.bisect_right(self.labels, address)
        return self.labels[index] if index < len(self.labels) else self.layout.num_words

    def cells(self, start: int) -> Iterator[int | None]:
        """The words from an address on as far as they are written as numbers, None for others, up to a gap."""
        while (placed := self.holder(start)) is not None:
            match placed.cells:
                case bytes() as data:
                    yield from data[start - placed.here :]
                case Fill(count, value):
                    yield from [0 if value is None else _number(value)] * (placed.here + count - start)
                case cells:
                    yield from (None if each is None else _number(each) for each in cells[start - placed.here :])
            start = placed.here + placed.size

    def told_of(self, use: Use) -> tuple[str, Scope, Expression] | None:
        """What is to be told of an operand, with what was written and the scope it was written in; None: nothing."""
        operand, scope, here = use.operand, use.scope, use.here
        while (argument := scope.argument(operand)) is not None:
            operand, scope, here = argument.operand, argument.scope, argument.here
        value = operand.value
        if operand.labels or not isinstance(value, Expression) or scope.is_library or not use.role:
            return None
        if value.sole_name and not value.is_plain and use.role != "condition" and not _is_call(value):
            return _PARENTHESES, scope, value
        message = self._message(use, value, scope, here)
        return None if message is None else (message, scope, value)

    def _message(self, use: Use, value: Expression, scope: Scope, here: int) -> str | None:
        if value.literal is not None:
            return self._literal(use, value.literal, scope, here)
        kind = _kind(value, scope)
        if kind is None:
            return None
        written = _text(value)
        if use.role == "number":
            return self._number_wanted(use, kind, written)
        address = self.address(value, scope, here)
        if kind.addresses != 1 and kind.has_labels:
            asked = "; `not x` asks whether the word x is 0" if use.role == "condition" else ""
            return f"`{written}` is computed from addresses; `add`, `sub`, `mul` and others compute with words{asked}"
        if kind.addresses != 1:
            return self._bare(use, value, scope, address, written)
        if kind.base is None:
            return None
        holder = self.holder(kind.base.address)
        if holder is None or (holder.scope.is_library and holder.word not in ISAS):
            return None  # it stands after all that the program says
        if holder.word in ISAS:
            is_place = use.definition is not None and value.sole_name and kind.base.names == "place"
            if is_place and use.role in ("word", "condition"):
                return f"`{written}` is a place in the program, not a word with a value; its address is ={written}"
            if is_place and use.role == "place" and _is_text(use):
                return f"`{written}` is a place in the program, and no text"
            return None
        if use.role == "target":
            return f"`{written}` is data, and no place in the program to go to"
        if address != kind.base.address:
            return self._distance(use, kind.base, address, written)
        return self._data(use, holder, address, written) if value.sole_name else None

    def _literal(self, use: Use, pooled: Pooled, scope: Scope, here: int) -> str | None:
        if isinstance(pooled.value, bytes):
            if len(pooled.value) > 1 and use.role in ("word", "condition", "read"):
                return "this takes the first character of the text; `puts` writes a text, `lea` gives its address"
            if use.role == "pointer":
                return "a word that holds an address is needed here; `lea` gives the address of a text"
            return None
        held = _text(pooled.value)
        kind = _kind(pooled.value, scope)
        if use.role == "place":
            is_address = kind is not None and kind.addresses == 1
            what = f"an address; write `{held}`" if is_address else f"the number {held}, and no {_place(use)}"
            return f"`={held}` is a word that holds {what}"
        if kind is None or kind.addresses != 1 or kind.base is None:
            return None
        holder = self.holder(kind.base.address)
        address = self.address(pooled.value, scope, here)
        if holder is None or holder.word != ".word" or holder.scope.is_library or address == kind.base.address:
            return None
        is_one_word = self.end(kind.base.address) - kind.base.address == 1
        return self._distance(use, kind.base, address, held) if is_one_word else None

    def _number_wanted(self, use: Use, kind: _Kind, written: str) -> str | None:
        """Of the address of a variable where a number is wanted."""
        base = kind.base
        if kind.addresses != 1 or base is None or base.names != "place" or base.name != written:
            return None
        holder = self.holder(base.address)
        if holder is None or holder.word != ".word" or self.end(base.address) - base.address > 1:
            return None
        return f"`{written}` is an address here; `mov {written}, a` copies the word, `lea {written}, a` its address"

    def _bare(self, use: Use, value: Expression, scope: Scope, address: int, written: str) -> str | None:
        """Of a number in place of an address where no word is kept."""
        if address == (1 << self.layout.word_bits) - 1:
            return None  # the console, and where a program halts
        holder = self.holder(address)
        number = self.layout.evaluator.value(value, scope, 0)
        where = "in the middle of the instructions" if holder else "outside of the program"
        if use.role == "target":
            if address >> self.layout.word_bits - 1 or (holder and holder.word in ISAS and holder.here == address):
                return None
            return f"no instruction begins at {number}: a target is a label"
        if holder is not None and holder.word not in ISAS:
            return None
        is_character = value.line.text[value.start - 1 : value.start] == "'"
        is_bare = _number(value) is not None
        if holder is None and not is_character and not (is_bare and use.definition):
            if address in self.written or use.role == "changed" or (use.role == "place" and not _is_text(use)):
                return None
        if use.role == "place":
            return f"{number} is an address here, {where}" + ('; a text is written "…"' if _is_text(use) else "")
        if is_bare:
            return f"{number} is an address here, {where}; the number is written ={number}"
        return f"`{written}` is {number}, an address here, {where}; the number is written ={written}"

    def _distance(self, use: Use, base: Label, address: int, written: str) -> str | None:
        """Of an address so far from a label that it is a word of another one."""
        if use.role == "place" or base.address <= address < self.end(base.address):
            return None
        distance = address - base.address
        words = "word" if abs(distance) == 1 else "words"
        side = "after" if distance > 0 else "before"
        place = f"{abs(distance)} {words} {side} `{base.name}`"
        return f"`{written}` is the address {place}; `add` and `sub` compute with words"

    def _data(self, use: Use, holder: Placed, address: int, written: str) -> str | None:
        """Of the label of some data."""
        if use.definition is None:
            return None
        size = self.end(address) - address
        is_text = holder.word in (".ascii", ".asciz")
        name = use.definition.head.name.text
        if use.role in ("word", "condition") and is_text and size > 1 and not _is_changed(use):
            say = f"`puts {written}` writes all of it" if name in ("out", "putn") else f"its address is ={written}"
            return f"`{name}` takes the first word of the text `{written}`; {say}"
        if use.role == "place" and _is_text(use):
            return None if self._ends(address) else f"the text at `{written}` has no 0 at its end; `.asciz` adds one"
        if use.role == "place" and size == 1 and name != "lea":
            return f"`{written}` is one word, and no array; `load` and `store` follow an address that is in a word"
        if use.role == "pointer":
            held = next(self.cells(address), None)
            found = self.holder(held) if held else None
            if held and (size > 1 or (found is not None and found.word in ISAS)):
                return f"`{written}` holds {held}, which `{name}` takes for an address; its own address is ={written}"
        return None

    def _ends(self, address: int) -> bool:
        """Whether a text comes to its 0 before another label, or with what follows there, if all are characters."""
        for at, cell in enumerate(self.cells(address), address):
            if at != address and at in self.labels:
                if not all(_has_characters(self.holder(each)) for each in (address, at)):
                    return False
            if cell == 0 or cell is None:
                return True
        return False


def _kind(expression: Expression, scope: Scope, depth: int = 0) -> _Kind | None:
    """What kind of value an expression has; None where that takes too long to tell."""
    kinds: list[_Kind] = []
    for operation in expression.operations:
        match operation:
            case Here():
                kinds.append(_Kind(1))
            case Name(text):
                symbol = scope.find(text)
                if isinstance(symbol, Constant | Argument):
                    if isinstance(symbol, Argument) and not isinstance(symbol.operand.value, Expression):
                        return None
                    inner = _kind(symbol.expression, symbol.scope, depth + 1) if depth < _DEEPEST else None
                    if inner is None:
                        return None
                    kinds.append(inner)
                elif isinstance(symbol, Label) and symbol.names != "number":
                    kinds.append(_Kind(1, symbol, True))
                else:
                    kinds.append(_Kind(0))
            case Unary(sign):
                kinds.append(_signed(sign, kinds.pop()))
            case Binary(sign):
                right = kinds.pop()
                kinds.append(_joined(sign, kinds.pop(), right))
            case Pooled():
                return None
            case _:
                kinds.append(_Kind(0))
    return kinds[0]


def _signed(sign: str, kind: _Kind) -> _Kind:
    if sign == "+" or kind.addresses == 0:
        return kind
    return _Kind(-kind.addresses if sign == "-" and kind.addresses is not None else None, None, kind.has_labels)


def _joined(sign: str, left: _Kind, right: _Kind) -> _Kind:
    has_labels = left.has_labels or right.has_labels
    if left.addresses is None or right.addresses is None:
        return _Kind(None, None, has_labels)
    if sign in ("+", "-"):
        addresses = left.addresses + (right.addresses if sign == "+" else -right.addresses)
        base = left.base if right.addresses == 0 else right.base if left.addresses == 0 and sign == "+" else None
        return _Kind(addresses, base, has_labels)
    if left.addresses == right.addresses and sign in ("==", "!=", "<", "<=", ">", ">="):
        return _Kind(0, None, has_labels)
    return _Kind(0 if left.addresses == right.addresses == 0 else None, None, has_labels)


def _number(expression: Expression) -> int | None:
    """The value of an expression that is a number and nothing else."""
    match expression.operations:
        case (Number(value),):
            return value
        case (Number(value), Unary("-")):
            return -value
    return None


def _text(expression: Expression) -> str:
    return shown(expression.line.text[expression.start - 1 : expression.end - 1])


def _is_call(value: Expression) -> bool:
    """Whether the word is followed at once by parentheses around its only operand, as in `putn(x)`."""
    text = value.line.text
    return text[value.start - 2 : value.start - 1].isalnum() and not text[value.end - 1 :].lstrip().startswith(",")


def _is_text(use: Use) -> bool:
    return use.definition is not None and use.parameter in use.definition.signature.texts


def _place(use: Use) -> str:
    return "text" if _is_text(use) else "array"


def _has_characters(placed: Placed | None) -> bool:
    """Whether a statement is a text, or its first word is written as a character."""
    cells = placed.cells if placed is not None else ()
    if isinstance(cells, bytes):
        return True
    first = cells[0] if isinstance(cells, tuple) and cells else None
    return isinstance(first, Expression) and first.line.text[first.start - 1 : first.start] == "'"


def _is_changed(use: Use) -> bool:
    """Whether an instruction, or a standard macro, changes the word that an operand names."""
    if use.definition is None:
        return use.role == "changed"
    return use.role in ("word", "condition") and changes(use.definition, use.parameter)


@cache
def changes(definition: Definition, parameter: str) -> bool:
    """Whether a standard macro changes the word that is given for a parameter."""
    if parameter in definition.signature.keeps:
        return False
    for statement, body in _instructions(definition.block):
        for index, operand in enumerate(body.operands):
            name = operand.value.sole_name if isinstance(operand.value, Expression) else None
            if name is None or name.text != parameter:
                continue
            if statement.word in ISAS and (index == 1 or len(body.operands) == 1):
                return True
            macro = standard_library().macros.get(statement.word)
            if macro is not None and macro.definition is not definition:
                if changes(macro.definition, macro.definition.head.parameters[index].name.text):
                    return True
    return False


def _instructions(block: Block) -> Iterator[tuple[Statement, Instruction]]:
    """The instructions and calls of macros in a block, whatever conditions they stand under."""
    for node in block:
        match node:
            case Statement(body=Instruction() as body):
                yield node, body
            case Conditional(branches):
                for branch in branches:
                    yield from _instructions(branch.block)
            case Repetition() | Pool():
                yield from _instructions(node.block)
