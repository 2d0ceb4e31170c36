"""Block macros: the body they are given, the ways out of it, and the conditions they ask."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, cast

from assembler.bodies import collected
from assembler.diagnostics import Span
from assembler.layout import Layout
from assembler.parsing import MAX_NESTING
from assembler.scopes import Argument, BlockUse, Label, Scope, Use
from assembler.syntax import (
    Binary,
    BlockCall,
    Condition,
    Definition,
    Expression,
    Instruction,
    Name,
    Node,
    Operand,
    Pooled,
    Statement,
    Text,
)

if TYPE_CHECKING:
    from assembler.expansion import Expansion

# What a condition asks, as the branch that goes where it holds, and the one that goes where it does not.
_BRANCHES = {
    "": ("jnz", "jz"),
    "not": ("jz", "jnz"),
    "lt": ("jlt", "jge"),
    "le": ("jle", "jgt"),
    "gt": ("jgt", "jle"),
    "ge": ("jge", "jlt"),
    "eq": ("jeq", "jne"),
    "ne": ("jne", "jeq"),
}
_COMPARISONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}


def begin(expansion: "Expansion", statement: Statement, definition: Definition) -> None:
    """Takes the body of a block macro from the statements that follow its call."""
    following = cast("Iterator[Node]", expansion.opened[-1].nodes)  # where there are rounds, there is no statement

    def report(message: str, span: Span, help: str | None) -> None:
        expansion.lose()
        expansion.layout.error(message, span, help)

    block = collected(statement, definition, following, expansion.macros.block, report)
    if block is not None:
        call(expansion, block)


def call(expansion: "Expansion", block: BlockCall) -> None:
    """Expands a block macro; its `.body` expands the body in the scope it is written in."""
    layout, caller, statement = expansion.layout, expansion.layout.scope, block.statement
    body = statement.body
    assert isinstance(body, Instruction), "a block begins with the name of a macro"
    depth = caller.around.depth + 1 if caller.around else 1
    if depth > MAX_NESTING:
        layout.error(f"blocks are nested more than {MAX_NESTING} deep", statement.span)
        layout.report.check()
    use = BlockUse(block, caller, expansion.opened[-1].files, caller.around, depth)
    scope = expansion.call(statement, body, use)
    signature, closing = block.definition.signature, block.closing
    if scope is None or closing is None:
        return
    for word, name in signature.parts:
        layout.define(scope, Label(name, int(word in block.parts), statement.span, "number"))
    given = closing.body.operands if isinstance(closing.body, Instruction) else ()
    wanted = signature.closing_parameters
    if len(given) != len(wanted):
        names = ", ".join(f"`{parameter.name.text}`" for parameter in wanted)
        span = closing.span if given else closing.span_of(cast("Instruction", closing.body).word)
        layout.error(f"`{signature.closer}` takes {names or 'no operand'}", span)
        expansion.lose()
        expansion.opened.pop()
        return
    layout.check_labels(closing, cast("Instruction", closing.body), makes_words=False)
    expansion.bound(block.definition, wanted, given, scope)


def _expand_body(expansion: "Expansion", statement: Statement, body: Instruction) -> None:
    """`.body` or `.body PART`: the body that the block macro was given, or a part of it."""
    layout = expansion.layout
    use = layout.scope.block
    if use is None or not expansion.is_given(statement, 0, 1):
        if use is None:
            layout.error("`.body` can only stand in a macro", statement.span)
        return
    part = ""
    if body.operands:
        value = body.operands[0].value
        name = value.sole_name if isinstance(value, Expression) else None
        part = name.text.lower() if name else ""
        if part not in {word for word, _ in use.call.definition.signature.parts}:
            layout.error("`.body` takes a word that a `.part` of this macro names", body.operands[0].span)
            return
    scope = use.scope
    inside = Scope(
        scope.parent,
        scope.symbols,
        scope.calls,
        scope.is_library,
        scope.has_labelled,
        scope.has_literal,
        scope.block,
        use,
    )
    expansion.open(use.call.parts.get(part, ()), inside, use.files)


def _offer_exit(expansion: "Expansion", statement: Statement, body: Instruction) -> None:
    """`.exit NAME, L`: the statement NAME, in the body, goes to L."""
    if not expansion.is_given(statement, 2, 2):
        return
    value = body.operands[0].value
    name = value.sole_name if isinstance(value, Expression) else None
    use = expansion.layout.scope.block
    if name is None or use is None:
        expansion.layout.error("write `.exit NAME, label` in a block macro, above its `.body`", statement.span)
    else:
        use.exits[name.text.lower()] = (statement, expansion.layout.scope)


def exit_of(word: str, scope: Scope) -> tuple[Statement, Scope] | None:
    """What a statement in a body leaves the block by, innermost first; None where it is no such statement."""
    use = scope.around
    while use is not None:
        if word in use.exits:
            return use.exits[word]
        use = use.outer
    return None


def leave(expansion: "Expansion", statement: Statement, body: Instruction, exit: Statement, scope: Scope) -> None:
    """Makes a jump of a statement such as `break`."""
    if body.operands:
        expansion.layout.error(f"`{body.word.text}` takes no operand", body.operands[0].span)
    assert isinstance(exit.body, Instruction), "`.exit` is a directive"
    jump = Statement(exit.line, (), Instruction(Name("jmp", *_columns(exit.body.word)), exit.body.operands[1:]))
    inner = scope.within({}, expansion.chain(statement, expansion.layout.scope.calls))
    expansion.open((jump,), inner)


def _branch(expansion: "Expansion", statement: Statement, body: Instruction) -> None:
    """`.when C, L` and `.unless C, L`: go to L if the condition holds, or if it does not."""
    if not expansion.is_given(statement, 2, 2):
        return
    condition, target = body.operands
    relation, operands = _condition(expansion, condition)
    if relation is None:
        return
    name = _BRANCHES[relation][statement.word == ".unless"]
    key = id(statement), name
    if key not in expansion.branches:
        call = Instruction(Name(name, *_columns(body.word)), (*operands, target))
        expansion.branches[key] = statement, Statement(statement.line, (), call)
    definition = expansion.macros.standard(statement, name)
    if definition is None:
        expansion.layout.error(
            f"`{body.word.text}` needs the standard macros, which `.nostd` leaves out", statement.span
        )
        return
    _, call = expansion.branches[key]
    assert isinstance(call.body, Instruction), "it was made of one"
    expansion.expand(call, call.body, definition, True, None)


def _condition(expansion: "Expansion", operand: Operand) -> tuple[str | None, tuple[Operand, ...]]:
    """What a condition asks, and of which operands; None after an error."""
    value = operand.value
    argument = expansion.layout.scope.argument(operand)
    if isinstance(value, Condition):
        return value.relation, (value.left, *((value.right,) if value.right else ()))
    if argument is not None and isinstance(argument.operand.value, Condition | Expression):
        asked = argument.condition
        if asked is not None:
            sides = (f"{argument.name}.left", f"{argument.name}.right")[: 1 if asked == "not" else 2]
            return asked, tuple(Operand((), _named(side, operand)) for side in sides)
        value = argument.operand.value
    if isinstance(value, Text):
        expansion.layout.error("a string is no condition", value.span)
        return None, ()
    last = value.operations[-1] if isinstance(value, Expression) else None
    if isinstance(last, Binary) and last.operator in (*_COMPARISONS, "&&", "||"):
        words = ", ".join(f"`{word}` for `{sign}`" for sign, word in _COMPARISONS.items())
        help = f"a condition is written `a lt b`, with {words}; a number is `=5`"
        if last.operator in ("&&", "||"):
            help = "put one `if` into another one"
        message = f"`{last.operator}` works on what the assembler knows, not on words of the program"
        expansion.layout.error(message, value.span.within(argument.scope.calls if argument else ()), help)
        return None, ()
    return "", (operand,)


def _name_label(expansion: "Expansion", statement: Statement, body: Instruction) -> None:
    """`.label p`: the name that was given for a parameter becomes a label, where the call stands."""
    if not expansion.is_given(statement, 1, 1):
        return
    operand, scope = body.operands[0], expansion.layout.scope
    while (argument := scope.argument(operand)) is not None:
        operand, scope = argument.operand, argument.scope
    name = operand.value.sole_name if isinstance(operand.value, Expression) else None
    if name is None:
        expansion.layout.error("a name is needed here", operand.span)
    elif operand is body.operands[0]:
        expansion.layout.error("`.label` takes a parameter of the macro; `name:` makes any other label", operand.span)
    else:
        span = operand.span.within(scope.calls)
        expansion.layout.define(scope, Label(name.text, expansion.layout.here, span))


def bind_condition(
    layout: Layout, definition: Definition, argument: Argument, passed_on: Argument | None, scope: Scope
) -> None:
    """Gives the sides of a condition names of their own, which are no identifiers, where it is an argument."""
    value = argument.operand.value
    if isinstance(value, Condition):
        argument.condition = value.relation
        sides = {"left": value.left, **({"right": value.right} if value.right else {})}
    elif passed_on is not None and passed_on.condition is not None:
        argument.condition = passed_on.condition
        left, right = (Operand((), _named(f"{passed_on.name}.{side}", argument.operand)) for side in ("left", "right"))
        sides = {"left": left} if passed_on.condition == "not" else {"left": left, "right": right}
    else:
        return
    for side, operand in sides.items():
        name = f"{argument.name}.{side}"
        scope.symbols[name] = Argument(name, operand, argument.scope, argument.here)
        if scope.is_library and not argument.scope.is_library:
            layout.uses.append(Use(operand, argument.scope, argument.here, "condition", definition, argument.name))
        if argument.scope.argument(operand) is None:
            layout.constants.append(cast("Argument", scope.symbols[name]))
        scope.has_literal = scope.has_literal or operand.is_literal or argument.scope.has_literal
        scope.has_labelled = scope.has_labelled or bool(operand.labels)


def stray(word: str, definitions: Iterable[Definition]) -> str | None:
    """Why a word in lower case is no statement here, where one of some macros gives it a meaning in a block."""
    found: dict[str, list[str]] = {}
    for definition in definitions:
        signature, name = definition.signature, definition.head.name.text
        if not signature.takes_body:
            continue
        if word in _exits(definition):
            found.setdefault("can only stand in the body of", []).append(name)
        if word == signature.closer:
            found.setdefault("closes no block here; it ends", []).append(name)
        if word in [part for part, _ in signature.parts]:
            found.setdefault("parts no block here; it belongs to", []).append(name)
    for meaning, names in found.items():
        *others, last = [f"`{name}`" for name in names]
        return f"{meaning} {', '.join(others)} or {last}" if others else f"{meaning} {last}"
    return None


def _exits(definition: Definition) -> set[str]:
    """The words by which the body of a block macro leaves it."""
    exits = set()
    for node in definition.block:
        body = node.body if isinstance(node, Statement) else None
        if isinstance(node, Statement) and isinstance(body, Instruction) and node.word == ".exit" and body.operands:
            value = body.operands[0].value
            name = value.sole_name if isinstance(value, Expression) else None
            exits.add(name.text.lower() if name else "")
    return exits


DIRECTIVES: dict[str, Callable[["Expansion", Statement, Instruction], None]] = {
    ".body": _expand_body,
    ".exit": _offer_exit,
    ".when": _branch,
    ".unless": _branch,
    ".label": _name_label,
}


def _columns(name: Name) -> tuple[int, int]:
    return name.start, name.end


def _named(name: str, operand: Operand) -> Expression:
    """A name in place of an operand."""
    span = operand.span
    return Expression((Name(name, span.start, span.end),), span.line, span.start, span.end)


def pooled_text(operand: Operand, scope: Scope) -> Operand:
    """The address of the text, where an operand is a string, or stands for one."""
    given, around = operand, scope
    while (argument := around.argument(given)) is not None:
        given, around = argument.operand, argument.scope
    if not isinstance(given.value, Text):
        return operand
    text = given.value
    return Operand(
        operand.labels, Expression((Pooled(text.data, text.start, text.end),), text.line, text.start, text.end)
    )
