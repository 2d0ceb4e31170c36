"""What a macro says of itself, in lines of its body that make nothing: `.keeps`, `.texts`, `.part`, `.close`."""

from collections.abc import Iterable

from assembler.blocks import BODY_DIRECTIVE, SIGNATURE_DIRECTIVES
from assembler.diagnostics import Report, Span
from assembler.syntax import (
    Block,
    Conditional,
    Expression,
    Instruction,
    MacroHead,
    Name,
    Node,
    Parameter,
    Repetition,
    Signature,
    Statement,
)


def signed_block(head: MacroHead, nodes: Iterable[Node], report: Report) -> tuple[Block, Signature]:
    """The body of a macro without these lines, and what they say."""
    block: list[Node] = []
    keeps: list[str] = []
    texts: list[str] = []
    parts: list[tuple[str, str]] = []
    closing: list[Name] = []
    parameters = {parameter.name.text for parameter in head.parameters}
    for node in nodes:
        word = _word(node)
        if word == BODY_DIRECTIVE or word not in SIGNATURE_DIRECTIVES:
            block.append(node)
            continue
        assert isinstance(node, Statement) and isinstance(node.body, Instruction), "it has such a word"
        body = node.body
        if node.labels:
            report.add(f"`{word}` makes no word that a label could name", node.span_of(node.labels[0]))
        names = _names(node, body, report)
        match word:
            case ".keeps" | ".texts":
                for name in names:
                    if name.text not in parameters:
                        message = f"`{name.text}` is not a parameter of `{head.name.text}`"
                        report.add(message, Span(node.line, name.start, name.end))
                (keeps if word == ".keeps" else texts).extend(name.text for name in names)
            case ".part":
                if len(names) == 2:
                    parts.append((names[0].text.lower(), names[1].text))
                else:
                    report.add("write `.part WORD, NAME`: NAME is 1 where WORD parts the body, else 0", node.span)
            case ".close":
                closing = closing or names
    takes_body = bool(closing or parts) or _has_body(tuple(block))
    closer, *closing_parameters = closing or [Name("end", 1, 1)]
    signature = Signature(
        frozenset(keeps),
        frozenset(texts),
        takes_body,
        tuple(parts),
        closer.text.lower(),
        tuple(Parameter(name, None) for name in closing_parameters),
    )
    return tuple(block), signature


def _word(node: Node) -> str:
    """The word of an instruction, a directive or a macro call, in lower case; of all else \"\"."""
    if isinstance(node, Statement) and isinstance(node.body, Instruction):
        return node.word
    return ""


def _names(statement: Statement, body: Instruction, report: Report) -> list[Name]:
    names = []
    for operand in body.operands:
        name = operand.value.sole_name if isinstance(operand.value, Expression) else None
        if name is None or operand.labels:
            report.add(f"`{body.word.text}` takes names, and this is not one", operand.span)
        else:
            names.append(name)
    if not body.operands:
        report.add(f"`{body.word.text}` takes names, and this one has none", statement.span)
    return names


def _has_body(block: Block) -> bool:
    blocks = [block]
    while blocks:
        for node in blocks.pop():
            match node:
                case Statement() if _word(node) == BODY_DIRECTIVE:
                    return True
                case Conditional():
                    blocks += [branch.block for branch in node.branches]
                case Repetition():
                    blocks.append(node.block)
    return False
