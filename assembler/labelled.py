"""Arguments that carry a label, such as `x:0`: the label names the one word that is made of the argument."""

from assembler.diagnostics import Span, shown
from assembler.layout import Layout
from assembler.scopes import Argument, Label
from assembler.syntax import Expression, Name, Operand


def define(layout: Layout, operand: Operand, address: int) -> None:
    """Gives the labels of the argument that an operand stands for, if it stands for one, the address of its word."""
    scope, argument = layout.scope, layout.scope.argument(operand)
    while argument is not None:
        if argument.is_used and argument.operand.labels:
            name = argument.operand.labels[0].text
            help = f"the argument is at {argument.span}; it may stand for one word only"
            layout.error(f"the label `{shown(name)}` in an argument would name a second word here", operand.span, help)
            return
        argument.is_used = True
        operand, scope = argument.operand, argument.scope
        for label in operand.labels:
            span = Span(operand.value.line, label.start, label.end, scope.calls)
            layout.define(scope, Label(label.text, address, span, "operand"))
        argument = scope.argument(operand) if scope.has_labelled else None


def refuse(layout: Layout, expression: Expression) -> None:
    """Reports arguments in an expression that carry a label, where no word is made of them."""
    for name in expression.operations:
        symbol = layout.scope.find(name.text) if isinstance(name, Name) else None
        if isinstance(name, Name) and isinstance(symbol, Argument) and _carries_label(symbol):
            span = Span(expression.line, name.start, name.end)
            help = f"`{shown(name.text)}` must be the whole operand of an instruction, of `.word` or of a macro"
            layout.error(f"the argument for `{shown(name.text)}` carries a label, which names no word here", span, help)


def _carries_label(argument: Argument | None) -> bool:
    """Whether an argument is an operand with labels, or stands for one that is."""
    while argument is not None:
        if argument.operand.labels:
            return True
        argument = argument.scope.argument(argument.operand)
    return False
