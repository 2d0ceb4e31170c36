"""Other SUBLEQ notations: their statements are read into ours, which are then placed and encoded like all.

`sqasm` is that of the original assembler, `esolangs` that of the wiki, where `?` is the cell it stands in.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from assembler import parsing
from assembler.encoding import encode
from assembler.image import Image, Note
from assembler.layout import Layout, Placed
from assembler.options import DIALECTS, Options
from assembler.scopes import Predefined
from assembler.sqasm import Source, read
from assembler.syntax import Expression, Here, Instruction

_ISA, _WORD_BITS = "subleq", 32
_QUESTION_MARK = {"sqasm": 1, "esolangs": 0}  # the address it stands for, counted from its own
_OTHER = {
    "sqasm": ("esolangs", "in the notation of esolangs.org `?` is this cell"),
    "esolangs": ("sqasm", "in the notation of the original assembler `?` is the next cell"),
}
_CONSOLE_NAMES = ("IN", "OUT")


def read_dialect(text: str, name: str = "<text>", dialect: str = "sqasm", **options: Any) -> Image:
    """The image of a program in another notation.

    name: what errors and the source map call the text.
    dialect: one of DIALECTS.
    options: `isa word_bits memory entry input_mode`, as for `assemble`; subleq and 32 bits unless stated.

    Raises AssemblyError with all errors found; ValueError and TypeError for options no program can have.
    """
    if dialect not in DIALECTS:
        raise ValueError(f"dialect must be one of {', '.join(DIALECTS)}, not {dialect!r}")
    stated = {"isa": _ISA, "word_bits": _WORD_BITS}
    stated |= {key: value for key, value in options.items() if value is not None}
    layout = Layout(name, Options(**stated))
    layout.names.symbols.clear()  # these notations have no predefined names, and keep none for the assembler
    layout.names.is_library = True
    for console in _CONSOLE_NAMES:
        layout.defaults.symbols[console] = Predefined(console, lambda _: -1)
    source = read(parsing.source_lines(text, name), name, layout.isa, _QUESTION_MARK[dialect])
    for statement in source.statements:
        layout.place(statement)
    image = encode(layout)
    notes = [*_apart(source), *_astray(layout.placed, image, dialect)]
    return replace(image, notes=(*notes, *image.notes)) if notes else image


def _apart(source: Source) -> Iterator[Note]:
    """What looks like one operand and is two, for whoever writes as the original assembler reads."""
    if source.signs_apart:
        sign = source.signs_apart[0]
        message = (
            f"`{sign.kind}` begins an operand here, and in the original assembler it joins two terms; write "
            f"`({sign.kind}1)` for an operand and `a{sign.kind}1` for a sum"
        )
        yield Note(message + _more(len(source.signs_apart)), sign.line.file, sign.line.number, sign.start)


def _astray(placed: list[Placed], image: Image, dialect: str) -> Iterator[Note]:
    """A target that is made with `?` and begins no statement: the source may be in the other notation."""
    starts = {each.here for each in placed} | {len(image.words)}
    astray: list[tuple[int, Expression]] = []
    for each in placed:
        body = each.statement.body
        operands = body.operands if isinstance(body, Instruction) and each.word == image.isa else ()
        target = operands[2].value if len(operands) == 3 else None
        if isinstance(target, Expression) and any(isinstance(operation, Here) for operation in target.operations):
            address = image.words[each.here + 2]
            if address not in starts:
                astray.append((address, target))
    if astray:
        address, target = astray[0]
        other, meaning = _OTHER[dialect]
        message = f"the target {address} is not where a statement begins; {meaning}: `--dialect {other}` reads it so"
        yield Note(message + _more(len(astray)), target.line.file, target.line.number, target.start)


def _more(count: int) -> str:
    return "" if count == 1 else f" ({count - 1:,} more like it)"
