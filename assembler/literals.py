"""The words that literals stand for: one for each distinct value, after all else of the program."""

from assembler.diagnostics import SourceLine, Span, shown
from assembler.expressions import NUMBER_NEEDED
from assembler.layout import Layout
from assembler.scopes import Argument, Scope
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


def check_numbers(layout: Layout, condition: Expression, scope: Scope) -> bool:
    """Whether an assertion asks of numbers only; reports a literal number that a macro is given where it asks of one.

    A text is none: its address is what a macro wants of it.
    """
    for operation in condition.operations:
        symbol = scope.find(operation.text) if isinstance(operation, Name) else None
        while isinstance(symbol, Argument) and (inner := symbol.scope.argument(symbol.operand)) is not None:
            symbol = inner
        if isinstance(symbol, Argument) and symbol.operand.is_literal:
            pooled = symbol.expression.literal
            if pooled is not None and not isinstance(pooled.value, bytes):
                line = symbol.expression.line
                layout.report.add(
                    NUMBER_NEEDED.format(shown(line.text[pooled.start : pooled.end - 1])),
                    Span(line, pooled.start, pooled.end, symbol.scope.calls),
                )
                return False
    return True
