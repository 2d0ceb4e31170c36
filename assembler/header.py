"""What a program says about its machine, and the directives that say it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assembler.diagnostics import Span, did_you_mean, shown
from assembler.image import INPUT_MODES, ISAS, MAX_MEMORY_WORDS, MAX_WORD_BITS, MIN_WORD_BITS, default_memory
from assembler.scopes import Scope
from assembler.syntax import Expression, Instruction, Statement

if TYPE_CHECKING:
    from assembler.layout import Layout

ORDERS = ("source_first", "destination_first")
_INPUT_MODES = "`set`, `add` or `sub`, possibly with `_numbers`, then `_zero`, then `_branch_in` or `_branch_io` added"


@dataclass(slots=True)
class Header:
    """What the program says about its machine, as far as it says it; and where it says it."""

    isa: str | None = None
    word_bits: int | None = None
    memory: int | None = None
    input_mode: str | None = None
    entry: tuple[Expression, Scope, int] | None = None
    has_library: bool = True
    stated: dict[str, Span] = field(default_factory=dict)  # by directive
    read: dict[str, Span] = field(default_factory=dict)  # by directive: where the layout depended on it


def header_value(layout: "Layout", directive: str, span: Callable[[], Span]) -> int:
    """`__width`, `__isa` or `__memory`, needed at a place."""
    if not layout.evaluator.complete and directive not in layout.header.read:
        layout.header.read[directive] = span()
    match directive:
        case ".width":
            return layout.word_bits
        case ".isa":
            return ISAS.index(layout.isa)
    if layout.header.memory is not None:
        return layout.header.memory
    return default_memory(layout.word_bits, layout.num_words if layout.evaluator.complete else 0)


def _entry(layout: "Layout", statement: Statement, body: Instruction) -> None:
    if layout.counted(statement, body, 1, 1) and _stated_once(layout, ".entry", statement):
        expression = layout.expression(body.operands[0])
        if expression is not None:
            layout.header.entry = (expression, layout.scope, layout.here)


def _order(layout: "Layout", statement: Statement, body: Instruction) -> None:
    file = statement.line.file
    order = _choice(layout, statement, body, ORDERS)
    if order is None:
        return
    if layout.scope.calls:
        help = "instructions in a macro are in the machine's own order, whatever the order of the files around them"
        layout.error("`.order` cannot be part of a macro", statement.span, help)
    elif file in layout.orders:
        help = f"the first is at {layout.orders[file][1]}"
        layout.error("`.order` is stated twice in this file", statement.span, help)
    elif file in layout.first_instruction:
        help = f"the first one is at {layout.first_instruction[file]}"
        layout.error("`.order` must stand above the first instruction of its file", statement.span, help)
    else:
        layout.orders[file] = (order, statement.span)


def _isa(layout: "Layout", statement: Statement, body: Instruction) -> None:
    isa = _choice(layout, statement, body, ISAS)
    if isa is not None and _fits(layout, ".isa", statement, isa, layout.options.isa):
        layout.header.isa = isa


def _input(layout: "Layout", statement: Statement, body: Instruction) -> None:
    mode = _choice(layout, statement, body, tuple(INPUT_MODES), _INPUT_MODES)
    if mode is not None and _fits(layout, ".input", statement, mode, layout.options.input_mode):
        layout.header.input_mode = mode


def _width(layout: "Layout", statement: Statement, body: Instruction) -> None:
    bits = _number(layout, statement, body, MIN_WORD_BITS, MAX_WORD_BITS, "bits")
    if bits is not None and _fits(layout, ".width", statement, bits, layout.options.word_bits):
        layout.header.word_bits = bits


def _memory(layout: "Layout", statement: Statement, body: Instruction) -> None:
    size = _number(layout, statement, body, 1, MAX_MEMORY_WORDS, "words")
    if size is not None and _fits(layout, ".memory", statement, size, layout.options.memory):
        layout.header.memory = size


def _nostd(layout: "Layout", statement: Statement, body: Instruction) -> None:
    if layout.counted(statement, body, 0, 0) and _fits(layout, ".nostd", statement, None, None):
        layout.header.has_library = False


def _choice(
    layout: "Layout", statement: Statement, body: Instruction, choices: tuple[str, ...], wanted: str | None = None
) -> str | None:
    """The one of some words that a directive names, in any case; None after an error, in which they may be `wanted`."""
    if not layout.counted(statement, body, 1, 1):
        return None
    value = body.operands[0].value
    name = value.sole_name if isinstance(value, Expression) else None
    if name is not None and name.text.lower() in choices:
        return name.text.lower()
    wanted = wanted or ", ".join(f"`{choice}`" for choice in choices[:-1]) + f" or `{choices[-1]}`"
    help = did_you_mean(name.text.lower(), choices) if name else None
    layout.error(f"`{body.word.text}` must be {wanted}", body.operands[0].span, help)
    return None


def _number(layout: "Layout", statement: Statement, body: Instruction, least: int, most: int, what: str) -> int | None:
    """The number a directive states; None after an error."""
    if not layout.counted(statement, body, 1, 1):
        return None
    value = layout.known_value(body.operands[0])
    if value is not None and not least <= value <= most:
        message = f"`{body.word.text}` must be {least} … {most:,} {what}, not {shown(value)}"
        layout.error(message, body.operands[0].span)
        return None
    return value


def _fits(layout: "Layout", directive: str, statement: Statement, value: object, asked: object) -> bool:
    """Whether a directive may state a value here, reported if not."""
    if not _stated_once(layout, directive, statement):
        return False
    if layout.first_word is not None:
        help = f"the first word is at {layout.first_word.outermost}"
        layout.error(f"`{directive}` must stand above the first word", statement.span, help)
        return False
    if directive in layout.header.read:
        help = f"it was used at {layout.header.read[directive].outermost}"
        layout.error(f"`{directive}` must stand above what depends on it", statement.span, help)
        return False
    if asked is not None and asked != value:
        message = f"`{directive} {value}` contradicts the {asked} asked for outside the source"
        layout.error(message, statement.span)
        return False
    return True


def _stated_once(layout: "Layout", directive: str, statement: Statement) -> bool:
    span = statement.span.within(layout.scope.calls)
    first = layout.header.stated.setdefault(directive, span)
    if first is not span and first != span:
        layout.error(f"`{directive}` is stated twice", span, f"the first is at {first}")
        return False
    return True


HEADER_DIRECTIVES: dict[str, Callable[["Layout", Statement, Instruction], None]] = {
    ".isa": _isa,
    ".width": _width,
    ".memory": _memory,
    ".input": _input,
    ".order": _order,
    ".entry": _entry,
    ".nostd": _nostd,
}
