"""Blocks to the statements that are placed: macros, conditionals, repetitions, includes and pools.

Everything is expanded in the order of the source and just before it is placed, so that a condition may depend on what
stands above it. What is under way is a list and no recursion.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from assembler import parsing
from assembler.diagnostics import Span, shown
from assembler.image import ISAS
from assembler.layout import DIRECTIVES, Layout
from assembler.scopes import Argument, BlockUse, Label, Predefined, Scope, Use
from assembler.syntax import (
    Binary,
    Block,
    BlockCall,
    Branch,
    Condition,
    Conditional,
    Definition,
    Expression,
    Instruction,
    Name,
    Node,
    Number,
    Operand,
    Parameter,
    Pool,
    Repetition,
    Statement,
    Unary,
)

if TYPE_CHECKING:
    from assembler.includes import Files
    from assembler.macros import Macros

MAX_MACRO_DEPTH = 200
# What the library's parameters are, by their names; `L` is the place of a text, of an array, or to go to.
_ROLES = {
    **dict.fromkeys(("a", "b", "i", "from", "to"), "word"),
    **dict.fromkeys(("p", "q"), "pointer"),
    **dict.fromkeys(("n", "step"), "number"),
    "c": "condition",
    "L": "place",
}
BLOCK_MACRO_DIRECTIVES = (".body", ".exit", ".when", ".unless", ".label")
_PLACED = frozenset((*ISAS, *DIRECTIVES))  # what statements say that are placed as they are
_MAX_SUGGESTIONS = 20  # looking for a near name takes time for each name there is


def expanded(block: Block, layout: Layout, *place: Any) -> Iterator[Statement]:
    """The statements to place, each with `layout.scope` set for it.

    place: what the source is called, and where its includes are, as for `includes.Files`.
    """
    return Expansion(block, layout, place).statements()


@dataclass(frozen=True, slots=True)
class _Round:
    """One repetition of a `.rept`; its number has a name where `index` is not None."""

    repetition: Repetition
    index: Label | None


@dataclass(slots=True, eq=False)
class Opened:
    """A block under expansion: what is left of it, its names, and the files it stands in, the outermost first."""

    nodes: Iterator[Node | _Round]
    scope: Scope
    files: tuple[str, ...]
    arguments: tuple[Argument, ...] = ()  # of the macro that ends with this block
    use: BlockUse | None = None  # of the block macro that ends with this block


class Expansion:
    """The expansion of one program."""

    def __init__(self, block: Block, layout: Layout, place: tuple[Any, ...]) -> None:
        self.block = block
        self.layout = layout
        self.place = place
        self.opened = [Opened(iter(block), layout.names, ())]
        self.pools: deque[Opened] = deque()
        self.pooled: set[Pool] = set()
        self.num_expanded = 0
        self.chains: dict[tuple[int, int], tuple[Statement, tuple[Span, ...]]] = {}
        self.branches: dict[tuple[int, str], tuple[Statement, Statement]] = {}  # by identity, and what is asked: calls
        self.chosen: dict[int, tuple[Conditional, Block]] = {}  # by identity: the branch that is always taken
        self.suggestions: dict[str, str | None] = {}

    @cached_property
    def macros(self) -> "Macros":
        """The macros a statement may call; a program without calls does without the module, too."""
        from assembler.macros import Macros

        return Macros(self.layout)

    @cached_property
    def _blocks(self) -> Any:
        """The module of block macros; a program without them does without it, too."""
        from assembler import block_macros

        return block_macros

    @cached_property
    def files(self) -> "Files":
        """The files the program includes."""
        from assembler.includes import Files

        return Files(*self.place)

    def statements(self) -> Iterator[Statement]:
        layout = self.layout
        while self.opened or self.pools:
            if not self.opened:
                layout.begin_pools()
                self.opened.append(self.pools.popleft())
            opened = self.opened[-1]
            layout.scope = opened.scope
            for node in opened.nodes:
                if isinstance(node, _Round):
                    self._open_round(node)
                    break
                self.num_expanded += 1
                if self.num_expanded > parsing.MAX_STATEMENTS:
                    self._report_too_many(node)
                if isinstance(node, Statement):
                    if not isinstance(node.body, Instruction) or node.word in _PLACED:
                        yield node
                        continue
                    layout.place_labels(node)
                    self._carry_out(node, node.body)
                else:
                    layout.place_labels(node.statement)
                    self._enter(node)
                if self.opened[-1] is not opened:  # what was opened comes first
                    break
            else:
                self._close(self.opened.pop())
        layout.scope = layout.names

    def _carry_out(self, statement: Statement, body: Instruction) -> None:
        """A statement that makes no words itself: an include, a directive of macros, or a call of one."""
        word, scope = statement.word, self.layout.scope
        if word in (".include", ".incbin"):
            from assembler import includes  # many programs have none

            includes.include(self, statement, body)
        elif word in BLOCK_MACRO_DIRECTIVES:
            self._blocks.DIRECTIVES[word](self, statement, body)
        else:
            found = self.macros.find(statement)
            if found is not None and found[0].signature.takes_body:
                self._blocks.begin(self, statement, found[0])
            elif scope.around is not None and (exit := self._blocks.exit_of(word, scope)):
                self._blocks.leave(self, statement, body, *exit)
            elif found is not None:
                pools = found[0].pools
                if not pools or body.operands or any(pool not in self.pooled for pool in pools):
                    self.expand(statement, body, *found, None)
            else:
                self._report_unknown(statement, body)

    def _enter(self, node: Node) -> None:
        match node:
            case BlockCall():
                self._blocks.call(self, node)
            case Conditional():
                self._choose(node)
            case Repetition():
                self._repeat(node)
            case Pool():
                self._keep_pool(node)
            case Definition():
                self.macros.define(node)

    def open(self, block: Block, scope: Scope, files: tuple[str, ...] | None = None) -> None:
        """Expands some nodes next; `files` where they stand in other ones."""
        self.opened.append(Opened(iter(block), scope, self.opened[-1].files if files is None else files))

    def _close(self, opened: Opened) -> None:
        """Reports the labels in arguments that a macro, which ends here, has given to no word."""
        if opened.use is not None:
            opened.use.exits.clear()  # they would hold the scope that holds them
        for argument in opened.arguments:
            if not argument.is_used and argument.operand.labels and not self.layout.is_distorted:
                label = argument.operand.labels[0]
                message = f"the label `{shown(label.text)}` names nothing: no word is made of this argument"
                self.layout.report.add(message, argument.span)

    def _report_too_many(self, node: Node) -> None:
        message = f"the program expands to more than {parsing.MAX_STATEMENTS:,} statements"
        self.layout.error(message, node.statement.span if not isinstance(node, Statement) else node.span)
        self.layout.report.check()

    def is_given(self, statement: Statement, least: int, most: int) -> bool:
        """Whether a directive has a right number of operands and no labels in them, reported if not."""
        body = statement.body
        assert isinstance(body, Instruction), "the grammar makes nothing else of a directive"
        self.layout.check_labels(statement, body, makes_words=False)
        return self.layout.counted(statement, body, least, most)

    def _choose(self, conditional: Conditional) -> None:
        if id(conditional) in self.chosen:
            self.open(self.chosen[id(conditional)][1], self.layout.scope)
            return
        for branch in conditional.branches:
            body = branch.statement.body
            assert isinstance(body, Instruction), "the grammar makes nothing else of a directive"
            if branch.statement.word != ".else":
                value = None
                if self.is_given(branch.statement, 1, 1):
                    [condition] = body.operands
                    value = self.layout.known_value(condition)
                if value is None:
                    self.layout.evaluator.lacks_names = True
                    return
                if not value:
                    continue
            self.open(branch.block, self.layout.scope)
            if all(self._asks_of_the_machine(each) for each in conditional.branches):
                self.chosen[id(conditional)] = conditional, branch.block
            return

    def _asks_of_the_machine(self, branch: Branch) -> bool:
        """Whether a condition is made of numbers, and names that stand for one value once they were used."""
        body = branch.statement.body
        values = [operand.value for operand in body.operands] if isinstance(body, Instruction) else []
        return all(
            isinstance(operation, Number | Unary | Binary)
            or (isinstance(operation, Name) and isinstance(self.layout.scope.find(operation.text), Predefined))
            for value in values
            if isinstance(value, Expression)
            for operation in value.operations
        )

    def _repeat(self, repetition: Repetition) -> None:
        body = repetition.statement.body
        assert isinstance(body, Instruction), "the grammar makes nothing else of a directive"
        if not self.is_given(repetition.statement, 1, 2):
            return
        times = self.layout.known_value(body.operands[0])
        index = next(iter(body.operands[1:]), None)
        name = index.value.sole_name if index and isinstance(index.value, Expression) else None
        if index is not None and name is None:
            help = "write `.rept count, name`"
            self.layout.error("the index of a `.rept` is a name, and this is not one", index.span, help)
        elif times is not None and times < 0:
            self.layout.error(f"`.rept` cannot repeat {shown(times)} times", body.operands[0].span)
        elif times is not None and repetition.block:
            span = repetition.statement.span.within(self.layout.scope.calls)
            rounds = (_Round(repetition, name and Label(name.text, index, span, "number")) for index in range(times))
            self.opened.append(Opened(rounds, self.layout.scope, self.opened[-1].files))

    def _open_round(self, round: _Round) -> None:
        """Opens one repetition; the names in it are its own."""
        scope = around = self.layout.scope
        if round.index is not None or round.repetition.makes_names:
            scope = around.within({})
        if round.index is not None:
            self.layout.define(scope, round.index)
        self.open(round.repetition.block, scope)

    def _keep_pool(self, pool: Pool) -> None:
        """Keeps a pool for the end of the program, unless it is kept already."""
        if pool not in self.pooled:
            self.pooled.add(pool)
            names, scope = self.layout.names, self.layout.scope
            kept = Scope(names.parent, names.symbols, scope.calls, scope.is_library)
            self.pools.append(Opened(iter(pool.block), kept, self.opened[-1].files))

    def lose(self) -> None:
        """Notes that a part of the program is missing."""
        self.layout.is_distorted = True
        self.layout.evaluator.lacks_names = True

    def call(self, statement: Statement, body: Instruction, use: BlockUse) -> Scope | None:
        """Expands a block macro. The scope of the expansion; None after an error."""
        found = self.macros.find(statement)
        if found is None:
            self._report_unknown(statement, body)
            return None
        return self.expand(statement, body, *found, use)

    def expand(
        self, statement: Statement, body: Instruction, definition: Definition, is_library: bool, use: BlockUse | None
    ) -> Scope | None:
        layout = self.layout
        head = definition.head
        caller = layout.scope
        if len(caller.calls) >= MAX_MACRO_DEPTH:
            message = f"macros are expanded more than {MAX_MACRO_DEPTH} deep: one of them calls itself without end"
            layout.error(message, statement.span)
            layout.report.check()
        least = head.least
        if not least <= len(body.operands) <= len(head.parameters):
            from assembler import macros, suggestions

            message = macros.miscounted(head, least, len(body.operands))
            help = suggestions.hidden_by_comment(statement)
            help = help or f"the macro is at {definition.statement.span_of(head.name)}"
            layout.place_unknown(statement, body)
            layout.error(message, statement.span, help)
            return None
        layout.check_labels(statement, body, makes_words=True)
        scope = Scope(
            layout.names, {}, self.chain(statement, caller.calls), is_library, block=use, around=caller.around
        )
        if is_library and not caller.is_library:
            layout.called.add(statement.word)
        arguments = self.bound(definition, head.parameters, body.operands, scope)
        if not scope.has_labelled:
            arguments = ()
        self.opened.append(Opened(iter(definition.block), scope, self.opened[-1].files, arguments, use))
        return scope

    def bound(
        self,
        definition: Definition,
        parameters: tuple[Parameter, ...],
        operands: tuple[Operand, ...],
        scope: Scope,
    ) -> tuple[Argument, ...]:
        """Gives parameters their meaning in the scope of an expansion: the operands of the call, then the defaults."""
        layout, caller = self.layout, self.layout.scope
        signature = definition.signature
        arguments: dict[str, Argument] = {}
        for parameter, operand in zip_longest(parameters, operands):
            around = caller
            if operand is None:
                assert parameter.default is not None, "the number of arguments was checked"
                operand = Operand((), parameter.default)
                around = Scope(layout.names, {**arguments}, scope.calls, has_labelled=scope.has_labelled)
            name = parameter.name.text
            if name in signature.texts:
                operand = self._blocks.pooled_text(operand, around)
            argument = arguments[name] = Argument(
                name, operand, around, layout.here, None, False, None, name in signature.keeps
            )
            passed_on = around.argument(operand)
            if scope.is_library and not around.is_library:
                role = role_of(definition, name)
                layout.uses.append(Use(operand, around, layout.here, role, definition, name))
            if passed_on is None:
                layout.constants.append(argument)
            elif around.has_literal:
                scope.has_literal = True
            if operand.is_literal:
                scope.has_literal = True
            if operand.labels or (passed_on is not None and around.has_labelled):
                scope.has_labelled = True
            if isinstance(operand.value, Condition) or (passed_on is not None and passed_on.condition):
                self._blocks.bind_condition(layout, definition, argument, passed_on, scope)
        scope.symbols |= arguments
        return tuple(arguments.values())

    def chain(self, statement: Statement, calls: tuple[Span, ...]) -> tuple[Span, ...]:
        """The calls around an expansion, one tuple for all that have the same."""
        key = (id(statement), id(calls))
        if key not in self.chains:
            # The statement and the tuple are kept too, so that no other object gets their identity.
            self.chains[key] = statement, (statement.span, *calls)
        return self.chains[key][1]

    def _report_unknown(self, statement: Statement, body: Instruction) -> None:
        word = body.word.text
        kind = "directive" if word.startswith(".") else "instruction"
        self.layout.place_unknown(statement, body)
        if self.layout.evaluator.lacks_names and kind == "instruction":
            return
        stray = self._blocks.stray(word.lower(), self.macros.definitions()) if kind == "instruction" else None
        if stray is not None:
            layout = self.layout
            layout.error(f"`{shown(word)}` {stray}", statement.span_of(body.word))
            return
        if word not in self.suggestions and len(self.suggestions) < _MAX_SUGGESTIONS:
            from assembler import suggestions

            self.suggestions[word] = suggestions.for_unknown(self, statement, body)
        message = f"unknown {kind} `{shown(word)}`"
        self.layout.error(message, statement.span_of(body.word), self.suggestions.get(word))


def role_of(definition: Definition, parameter: str) -> str:
    """What a standard macro takes the operand for that it is given for a parameter; "" where that says nothing."""
    if parameter == "L" and parameter not in definition.signature.texts:
        return "target" if definition.head.parameters[-1].name.text == parameter else "place"
    return _ROLES.get(parameter, "")
