"""The body of a block macro: the statements from the call up to the word that closes it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from assembler.diagnostics import Span
from assembler.parsing import MAX_NESTING
from assembler.syntax import Block, BlockCall, Conditional, Definition, Instruction, Node, Repetition, Statement

Find = Callable[[str], Definition | None]
Error = Callable[[str, Span, str | None], None]


@dataclass(slots=True)
class _Open:
    """A block that is not closed yet."""

    statement: Statement
    definition: Definition
    parts: dict[str, list[Node]] = field(default_factory=lambda: {"": []})

    @property
    def word(self) -> str:
        assert self.statement.body is not None, "a block begins with the name of a macro"
        return self.statement.body.word.text

    def add(self, node: Node) -> None:
        self.parts[next(reversed(self.parts))].append(node)

    def closed(self, closing: Statement | None) -> BlockCall:
        parts: dict[str, Block] = {name: tuple(nodes) for name, nodes in self.parts.items()}
        return BlockCall(self.statement, self.definition, parts, closing)


def collected(
    call: Statement, definition: Definition, following: Iterator[Node], find: Find, error: Error
) -> BlockCall | None:
    """The block that a call begins, taken from the nodes that follow it; None where it nests too deep.

    find: the block macro of a name in lower case, None where there is none of that name.
    """
    opened = [_Open(call, definition)]
    for node in following:
        body = node.body if isinstance(node, Statement) else None
        if not isinstance(node, Statement) or not isinstance(body, Instruction):
            opened[-1].add(node)
            continue
        word = node.word
        signature = opened[-1].definition.signature
        if word == signature.closer or any(word == block.definition.signature.closer for block in opened):
            _keep_labels(opened[-1], node)
            while word != opened[-1].definition.signature.closer:  # then one further out has this closer
                block = opened.pop()
                closer = block.definition.signature.closer
                help = f"the `{block.word}` at {_place(block)} is still open, and `{closer}` closes it"
                error(f"`{body.word.text}` does not close the innermost block", node.span, help)
                opened[-1].add(block.closed(None))
            closed = opened.pop().closed(node)
            if not opened:
                return closed
            opened[-1].add(closed)
        elif any(word == part for part, _ in signature.parts):
            _keep_labels(opened[-1], node)
            if word in opened[-1].parts:
                error(
                    f"a second `{body.word.text}` in the `{opened[-1].word}` at {_place(opened[-1])}", node.span, None
                )
            elif body.operands:
                error(f"`{body.word.text}` takes no operand", body.operands[0].span, None)
            opened[-1].parts.setdefault(word, [])
        elif (inner := find(word)) is not None:
            if len(opened) >= MAX_NESTING:
                error(f"blocks are nested more than {MAX_NESTING} deep", node.span, None)
                return None
            opened.append(_Open(node, inner))
        else:
            opened[-1].add(node)
    for block in reversed(opened):
        assert block.statement.body is not None, "a block begins with the name of a macro"
        closer = block.definition.signature.closer
        span = block.statement.span_of(block.statement.body.word)
        hidden = next(_within(block.parts.values(), closer), None)
        help = f"the `{closer}` at {hidden.span} stands in an `.if` or `.rept` below it" if hidden else None
        error(f"this `{block.word}` has no `{closer}`", span, help)
    while len(opened) > 1:
        inner_block = opened.pop().closed(None)
        opened[-1].add(inner_block)
    return opened.pop().closed(None)


def _within(blocks: Iterable[Iterable[Node]], word: str) -> Iterator[Statement]:
    """The statements of some word that stand directly in a conditional or a repetition of these blocks."""
    for node in chain.from_iterable(blocks):
        inner = [branch.block for branch in node.branches] if isinstance(node, Conditional) else []
        inner += [node.block] if isinstance(node, Repetition) else []
        for each in chain.from_iterable(inner):
            if isinstance(each, Statement) and each.word == word:
                yield each


def _keep_labels(block: _Open, statement: Statement) -> None:
    """Keeps the labels in front of a word that parts or closes a block: they are the end of what stands above it."""
    if statement.labels:
        block.add(Statement(statement.line, statement.labels, None))


def _place(block: _Open) -> str:
    return str(block.statement.span)
