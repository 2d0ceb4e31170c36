"""Statements to blocks: each `.if`, `.rept`, `.pool` and `.macro` together with what stands up to its end."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from assembler.diagnostics import Report, Span
from assembler.parsing import MAX_NESTING
from assembler.syntax import (
    Block,
    Branch,
    Conditional,
    Definition,
    Instruction,
    MacroHead,
    Node,
    Pool,
    Repetition,
    Signature,
    Statement,
)

_END_OF = {".macro": ".endm", ".if": ".endif", ".rept": ".endr", ".pool": ".endpool"}
_BEGIN_OF = {end: begin for begin, end in _END_OF.items()}
BODY_DIRECTIVE = ".body"
SIGNATURE_DIRECTIVES = (".keeps", ".texts", ".part", ".close", BODY_DIRECTIVE)
BLOCK_DIRECTIVES = (*_END_OF, *_BEGIN_OF, ".elif", ".else")


def structured(statements: Iterable[Statement], file: str) -> Block:
    """The blocks of a source. Raises AssemblyError with all errors of their structure."""
    builder = _Builder(Report(file))
    for statement in statements:
        builder.add(statement)
    return builder.finished()


@dataclass(slots=True)
class _Open:
    """A block whose end has not come yet."""

    kind: str  # the directive it begins with, "" for the whole source
    statement: Statement | None
    nodes: list[Node] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)  # of an `.if`, those that are complete
    branch: Statement | None = None  # the `.if`, `.elif` or `.else` that `nodes` stand below
    makes_names: bool = False
    is_signed: bool = False  # whether it is a macro that says something of itself


class _Builder:
    """Keeps the open blocks in a list and needs no recursion: they may nest as deep as the limit allows."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.open = [_Open("", None)]

    def add(self, statement: Statement) -> None:
        body = statement.body
        word = statement.word
        if word in _END_OF:
            self._begin(statement, word)
        elif word in _BEGIN_OF or word in (".elif", ".else"):
            self._label(statement)
            if isinstance(body, Instruction) and body.operands and word != ".elif":
                self.report.add(f"`{word}` takes no operand", body.operands[0].span)
            if word in _BEGIN_OF:
                self._end(statement, word)
            else:
                self._branch(statement, word)
        else:
            block = self.open[-1]
            block.nodes.append(statement)
            if word in SIGNATURE_DIRECTIVES:
                self._sign(statement)
            block.makes_names = block.makes_names or _makes_names(statement, word)

    def _sign(self, statement: Statement) -> None:
        """Notes that the macro around a statement says something of itself."""
        word = statement.word
        macro = self._innermost(".macro")
        if macro is None or (word != BODY_DIRECTIVE and macro is not self.open[-1]):
            where = "directly in a macro, not in another block of it" if macro else "in a macro"
            self.report.add(f"`{word}` can only stand {where}", _word_span(statement))
        else:
            macro.is_signed = True

    def finished(self) -> Block:
        while len(self.open) > 1:
            self._report_unended(self.open[-1])
            self._close()
        self.report.check()
        return tuple(self.open[0].nodes)

    def _label(self, statement: Statement) -> None:
        """Keeps the labels in front of an end: they name what follows the statements of the block."""
        if statement.labels:
            self.open[-1].nodes.append(Statement(statement.line, statement.labels, None))
            self.open[-1].makes_names = True

    def _begin(self, statement: Statement, word: str) -> None:
        around = self._innermost(".macro")
        if word == ".macro" and around is not None:
            help = f"the macro around it begins at {_place(around)}; is its `.endm` missing?"
            self.report.add("a macro cannot be defined inside of another one", _word_span(statement), help)
        elif word == ".pool" and (around is None or self._innermost(".pool") is not None):
            where = "inside of a macro" if around is None else "directly in a macro, not in another `.pool`"
            self.report.add(f"`.pool` can only stand {where}", _word_span(statement))
        if word == ".pool" and isinstance(statement.body, Instruction) and statement.body.operands:
            self.report.add("`.pool` takes no operand", statement.body.operands[0].span)
        if len(self.open) > MAX_NESTING:
            self.report.add(f"blocks are nested more than {MAX_NESTING} deep", _word_span(statement))
            self.report.check()
        if statement.labels:
            self.open[-1].makes_names = True
        self.open.append(_Open(word, statement, branch=statement))

    def _branch(self, statement: Statement, word: str) -> None:
        block = self.open[-1]
        if block.kind != ".if":
            self._report_stray(statement, word, ".if")
            return
        if block.branch is not None and block.branch.word == ".else":
            help = f"the `.else` is at {_place(block.branch)}"
            self.report.add(f"`{word}` below the `.else` of its `.if`", _word_span(statement), help)
        self._complete_branch(block)
        block.branch = statement

    def _end(self, statement: Statement, word: str) -> None:
        block = self._innermost(_BEGIN_OF[word])
        if block is None:
            self._report_stray(statement, word, _BEGIN_OF[word])
            return
        while self.open[-1] is not block:
            self._report_unended(self.open[-1])
            self._close()
        self._close()

    def _close(self) -> None:
        """Makes a node of the innermost open block."""
        block = self.open.pop()
        around = self.open[-1]
        statement = block.statement
        assert statement is not None, "the whole source is never closed"
        match block.kind:
            case ".if":
                self._complete_branch(block)
                around.nodes.append(Conditional(tuple(block.branches)))
                around.makes_names = around.makes_names or block.makes_names
            case ".rept":
                around.nodes.append(Repetition(statement, tuple(block.nodes), block.makes_names))
            case ".pool":
                around.nodes.append(Pool(statement, tuple(block.nodes)))
            case ".macro":
                assert isinstance(statement.body, MacroHead), "the grammar has no other `.macro`"
                signed = (tuple(block.nodes), Signature())
                if block.is_signed:
                    from assembler.signatures import signed_block  # few macros say anything of themselves

                    signed = signed_block(statement.body, block.nodes, self.report)
                around.nodes.append(Definition(statement, statement.body, *signed))

    def _complete_branch(self, block: _Open) -> None:
        assert block.branch is not None, "an `.if` begins with a branch"
        block.branches.append(Branch(block.branch, tuple(block.nodes)))
        block.nodes = []

    def _innermost(self, kind: str) -> _Open | None:
        return next((block for block in reversed(self.open) if block.kind == kind), None)

    def _report_unended(self, block: _Open) -> None:
        assert block.statement is not None, "the whole source is never reported"
        self.report.add(f"this `{block.kind}` has no `{_END_OF[block.kind]}`", _word_span(block.statement))

    def _report_stray(self, statement: Statement, word: str, begin: str) -> None:
        innermost = self.open[-1]
        help = None
        if innermost.kind:
            help = f"the innermost open block is the `{innermost.kind}` at {_place(innermost)}"
        self.report.add(f"`{word}` without `{begin}`", _word_span(statement), help)


def _makes_names(statement: Statement, word: str) -> bool:
    if word in (".equ", ".include") or statement.labels:
        return True
    return isinstance(statement.body, Instruction) and any(operand.labels for operand in statement.body.operands)


def _word_span(statement: Statement) -> Span:
    assert statement.body is not None, "a block begins and ends with a directive"
    return statement.span_of(statement.body.word)


def _place(where: "_Open | Statement") -> str:
    statement = where.statement if isinstance(where, _Open) else where
    assert statement is not None, "the whole source has no place"
    return str(_word_span(statement))
