"""What the assembler notes of a program that is right by the rules, and likely not what was meant."""

from assembler.image import INPUT_MODES, ISAS
from assembler.layout import Layout, Placed
from assembler.library import standard_library
from assembler.scopes import Constant
from assembler.syntax import Expression, Instruction

NO_INSTRUCTION = "the program has no instruction"


def note_all(layout: Layout) -> None:
    """Notes what a look at the whole program shows."""
    if not any(_is_instruction(placed) for placed in layout.placed):
        span = layout.placed[0].span if layout.placed else None
        layout.note(NO_INSTRUCTION, span)
    _note_misspelt_settings(layout)


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
