"""The words that literals stand for: one for each distinct value, after all else of the program."""

from assembler.diagnostics import SourceLine, Span, shown
from assembler.layout import Layout
from assembler.scopes import Scope
from assembler.syntax import Expression, Instruction, Name, Number, Operand, Pooled, Statement


def address(layout: Layout, held: int | bytes, pooled: Pooled, scope: Scope, line: SourceLine) -> int | None:
    """The address of the word, or the zero-ended text, that holds this; None after an error.

    Every other word must have an address by now: this may place the next one.
    """
    bits = layout.word_bits
    cells: bytes | tuple[Expression]
    if isinstance(held, bytes):
        key: int | bytes = held
        cells = held + b"\0"
    elif -(1 << bits - 1) <= held < 1 << bits:
        key = held & (1 << bits) - 1
        cells = (Expression((Number(key, pooled.start, pooled.end),), line, pooled.start, pooled.end),)
    else:
        layout.report_range(Span(line, pooled.start, pooled.end, scope.calls), held)
        return None
    if key not in layout.literals:
        layout.literals[key] = layout.num_words
        statement = Statement(line, (), Instruction(Name("=", pooled.start, pooled.end), ()))
        layout.begin_pools()
        around, layout.scope = layout.scope, scope
        layout.add(statement, len(cells), cells)
        layout.scope = around
    return layout.literals[key]


def check_written(layout: Layout, operand: Operand, is_target: bool) -> None:
    """Reports a literal that an instruction would change, or go to; not one of a macro that keeps its value."""
    scope, calls = layout.scope, layout.scope.calls
    while (argument := scope.argument(operand)) is not None:
        if argument.is_kept and not is_target:
            return
        operand, scope = argument.operand, argument.scope
    value = operand.value
    if not isinstance(value, Expression) or value.literal is None:
        return
    if is_target:
        message, help = "a literal is a word with a value, and no place to go to", "a target is a label"
    else:
        changing = calls[len(calls) - len(scope.calls) - 1] if len(calls) > len(scope.calls) else None
        call = changing.line.text[changing.start - 1 : changing.end - 1] if changing else ""
        by = f"; `{shown(call.split()[0])}` changes this operand" if call else ""
        message = f"a literal is read, never written{by}"
        held = value.line.text[value.literal.start : value.literal.end - 1]
        help = f"give it a word of its own: `name: .word {shown(held)}`"
    layout.report.add(message, value.span.within(scope.calls), help)
