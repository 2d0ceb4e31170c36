"""What the assembler notes of a program that is right by the rules, and likely not what was meant."""

import bisect

from assembler.expressions import MAX_VALUE_BITS
from assembler.image import INPUT_MODES, ISAS
from assembler.layout import Layout, Placed
from assembler.library import standard_library
from assembler.scopes import Constant, Label
from assembler.syntax import Expression, Instruction, Number, Operand, Unary

NO_INSTRUCTION = "the program has no instruction"
_MOST_NUMBERS = 5  # noted of one program


def bare_number(operand: Operand) -> int | None:
    """The value of an operand that is a number and nothing else, not even a label on it; -1 is the console."""
    if operand.labels or not isinstance(operand.value, Expression):
        return None
    match operand.value.operations:
        case (Number(value),):
            return value
        case (Number(value), Unary("-")) if value != 1 and value.bit_length() < MAX_VALUE_BITS:
            return -value
    return None


def note_all(layout: Layout) -> None:
    """Notes what a look at the whole program shows."""
    if not any(_is_instruction(placed) for placed in layout.placed):
        span = layout.placed[0].span if layout.placed else None
        layout.note(NO_INSTRUCTION, span)
    _note_misspelt_settings(layout)
    if any(isinstance(symbol, Label) and not name.startswith("__") for name, symbol in layout.names.symbols.items()):
        _note_numbers(layout)


def note_targets(layout: Layout, words: list[int]) -> None:
    """Notes the first target of a read or a write that the machine, in this input mode, never goes to."""
    console = (1 << layout.word_bits) - 1
    mode = INPUT_MODES[layout.input_mode]
    found = []
    for placed in layout.placed:
        if not _is_instruction(placed) or placed.scope.calls:
            continue
        a, b, c = words[placed.here : placed.here + 3]
        branches = mode.writes_branch if b == console else mode.reads_branch
        if console in (a, b) and not branches and c != (placed.here + 3) & console:
            found.append((placed, b == console))
    if found:
        placed, writes = found[0]
        what, suffix = ("write", "_branch_io") if writes else ("read", "_branch_in")
        name = layout.input_mode.removesuffix("_branch_in") + suffix
        more = "" if len(found) == 1 else f" ({len(found) - 1:,} more like it)"
        message = f"a {what} never goes to its target; on a machine where it does, the input mode is {name}{more}"
        layout.note(message, placed.span)


def _is_instruction(placed: Placed) -> bool:
    return placed.word in ISAS


def _note_misspelt_settings(layout: Layout) -> None:
    """Notes each constant that nothing reads and whose name is a letter off one of the library's settings."""
    if not layout.header.has_library:
        return
    bodies = [statement.body for statement in standard_library().constants]
    values = [body.operands[0].value for body in bodies if isinstance(body, Instruction)]
    names = [value.sole_name.text for value in values if isinstance(value, Expression) and value.sole_name]
    for name, symbol in layout.names.symbols.items():
        if isinstance(symbol, Constant) and not symbol.is_read and name not in names:
            meant = next((each for each in names if is_one_letter_off(name.upper(), each)), None)
            if meant is not None:
                layout.note(f"nothing reads `{name}`; the library has a setting `{meant}`", symbol.span)


def is_one_letter_off(name: str, other: str) -> bool:
    """Whether two names are equal, or become so by one letter more, less, other, or two that change places."""
    if len(name) > len(other):
        name, other = other, name
    if name == other:
        return True
    at = next((index for index, letter in enumerate(name) if letter != other[index]), len(name))
    if len(name) < len(other):
        return name[at:] == other[at + 1 :]
    return name[at + 1 :] == other[at + 1 :] or name[at:][:2][::-1] + name[at + 2 :] == other[at:]


def _note_numbers(layout: Layout) -> None:
    """Notes numbers in place of the addresses of words where no word is kept."""
    placed = sorted(layout.placed, key=lambda each: each.here)
    starts = [each.here for each in placed]
    noted = 0
    for span, value, is_library in layout.bare_numbers:
        address = value % (1 << layout.word_bits)
        index = bisect.bisect_right(starts, address) - 1
        holder = placed[index] if index >= 0 and address < placed[index].here + placed[index].size else None
        if holder is not None and not _is_instruction(holder):
            continue
        if holder is None and not is_library:
            continue
        noted += 1
        if noted > _MOST_NUMBERS:
            return
        where = "in the middle of the instructions" if holder else "outside of the program"
        layout.note(f"{value} is an address here, {where}; the number is written ={value}", span)
