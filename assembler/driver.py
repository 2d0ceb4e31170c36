"""Source text to image, stage by stage."""

import gc
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from assembler.blocks import structured
from assembler.diagnostics import AssemblyError, Diagnostic, Report
from assembler.encoding import encode
from assembler.expansion import expanded
from assembler.expressions import Evaluator
from assembler.image import Image
from assembler.layout import Layout
from assembler.options import Options
from assembler.parsing import parse, parse_expression
from assembler.scopes import Label, Scope

# A comment that is likely a statement, whose ways `comments` knows.
_MAY_HIDE = re.compile(
    r"^[ \t]*#[dieup]"
    r"""|^(?:[^;#"'\n]|"[^"\n]*"|'[^'\n]*')*(?<=[^\s;]);[ \t]*[A-Za-z.]""",
    re.MULTILINE,
)

_FILE_NAME = re.compile(r"[^\s;\"']+\.(?:sbn|img|dec|hex|bin)")


def assemble(
    text: str,
    name: str = "<text>",
    folder: str | os.PathLike[str] | None = None,
    *,
    include: Sequence[str | os.PathLike[str]] = (),
    texts: Mapping[str, str] | None = None,
    isa: str | None = None,
    word_bits: int | None = None,
    memory: int | None = None,
    entry: int | str | None = None,
    input_mode: str | None = None,
) -> Image:
    """The image of a program.

    name: what errors and the source map call the text.
    folder: where the files are that the text includes; the current folder unless stated.
    include: folders in which a file is looked for that is not beside the one that includes it.
    texts: what counts in place of the text of some included files, by their real paths: an editor's unsaved ones.
    isa, word_bits, memory, entry, input_mode: fill in what the source leaves open; `entry` may be an expression.

    Raises AssemblyError, with all errors found, for any source that is not a program and where an option contradicts
    it; ValueError and TypeError for options that no program can have.
    """
    options = Options(isa, word_bits, memory, entry, input_mode)
    with _no_garbage_collection():
        try:
            return _assembled(text, name, (folder, include, texts), options)
        except AssemblyError:
            if _FILE_NAME.fullmatch(text):
                wrong = "this is the name of a file, not a source"
                help = "`assembler.load_image` makes an image of a file"
                raise AssemblyError([Diagnostic(wrong, None, help, name)]) from None
            raise


def _assembled(
    text: str,
    name: str,
    place: tuple[Any, ...],
    options: Options,
) -> Image:
    """The image. What it took to make it is gone when this returns, so that no look for garbage has to find it."""
    layout = Layout(name, options)
    block = structured(parse(text, name), name)
    for statement in expanded(block, layout, name, *place):
        layout.place(statement)
    if _MAY_HIDE.search(text):
        from assembler.comments import note_hidden  # few programs have such comments

        note_hidden(layout, text, name)
    image = encode(layout)
    layout.release()
    return image


def evaluate(text: str, symbols: Mapping[str, int] | None = None, name: str = "<expression>") -> int:
    """The value of an expression over names that have values; `.` is 0. Raises AssemblyError."""
    expression = parse_expression(text, name)
    report = Report(name)
    scope = Scope()
    for symbol, value in (symbols or {}).items():
        scope.symbols[symbol] = Label(symbol, value, expression.span)
    evaluator = Evaluator(report, _no_literal)
    evaluator.complete = True
    value = evaluator.value(expression, scope, 0)
    report.check()
    assert value is not None, "an expression without a value was reported"
    return value


def _no_literal(*_: object) -> None:
    raise AssertionError("an expression outside of a program was parsed without literals")


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A large program is millions of objects that all stay: looking for garbage takes more time than all else."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
