"""Blocks to the statements that are placed: macros, conditionals, repetitions, includes and pools.

Everything is expanded in the order of the source and just before it is placed, so that a condition may depend on what
stands above it. What is under way is a list and no recursion.
"""

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from assembler import parsing
from assembler.blocks import BLOCK_DIRECTIVES
from assembler.diagnostics import AssemblyError, Span, did_you_mean, shown
from assembler.expressions import Argument, Label, Scope
from assembler.image import ISAS
from assembler.includes import Files, IncludeError
from assembler.layout import DIRECTIVES, Layout
from assembler.library import standard_library
from assembler.syntax import (
    Block,
    Conditional,
    Definition,
    Expression,
    Instruction,
    MacroHead,
    Node,
    Operand,
    Parameter,
    Pool,
    Repetition,
    Statement,
)

MAX_MACRO_DEPTH = 200
_MAX_SUGGESTIONS = 20  # looking for a near name takes time for each name there is


def expand(
    block: Block, layout: Layout, name: str, folder: str | os.PathLike[str] | None = None
) -> Iterator[Statement]:
    """The statements to place, each with `layout.scope` set for it.

    name, folder: what the source is called, and where its includes are.
    """
    return _Expansion(block, layout, Files(name, folder)).statements()


@dataclass(frozen=True, slots=True)
class _Round:
    """One repetition of a `.rept`; its number has a name where `index` is not None."""

    repetition: Repetition
    index: Label | None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A block under expansion: what is left of it, its names, and the files it stands in, the outermost first."""

    nodes: Iterator[Node | _Round]
    scope: Scope
    files: tuple[str, ...]
    arguments: tuple[Argument, ...] = ()  # of the macro that ends with this block


@dataclass(slots=True)
class _Macros:
    """The macros a name may mean: those of the program, by their names in lower case, and the standard ones."""

    layout: Layout
    defined: dict[str, Definition] = field(default_factory=dict)
    has_constants: bool = False

    def find(self, statement: Statement, body: Instruction) -> tuple[Definition, bool] | None:
        """The macro a statement calls, and whether it is a standard one.

        The program's come first, except in the standard macros: what these call are always each other.
        """
        key = body.word.text.lower()
        if key in self.defined and not self.layout.scope.is_library:
            return self.defined[key], False
        if not self.layout.header.has_library or key.startswith("."):
            return None
        library = standard_library()
        if key not in library.macros:
            return None
        self.layout.header.read.setdefault(".nostd", statement.span.within(self.layout.scope.calls))
        if not self.has_constants:
            self.has_constants = True
            scope = self.layout.scope
            self.layout.scope = self.layout.defaults
            for constant in library.constants:
                self.layout.place(constant)
            self.layout.scope = scope
        return library.macros[key].definition, True

    def define(self, definition: Definition) -> None:
        """Takes in a macro of the program."""
        layout, statement, head = self.layout, definition.statement, definition.head
        key = head.name.text.lower()
        span = statement.span_of(head.name)
        if key in ISAS:
            layout.error(f"`{key}` is an instruction and cannot be a macro too", span)
        elif key.startswith("__"):
            layout.error(f"`{shown(head.name.text)}`: names that begin with `__` are the assembler's", span)
        elif key in self.defined:
            first = self.defined[key]
            help = f"the first definition is at {first.statement.span_of(first.head.name)}"
            layout.error(f"duplicate macro `{shown(head.name.text)}`", span, help)
        else:
            self.defined[key] = definition
        self._check_parameters(statement, head.parameters)

    def _check_parameters(self, statement: Statement, parameters: tuple[Parameter, ...]) -> None:
        names: set[str] = set()
        has_default = False
        for parameter in parameters:
            name, span = parameter.name.text, statement.span_of(parameter.name)
            if name.startswith("__"):
                self.layout.error(f"`{shown(name)}`: names that begin with `__` are the assembler's", span)
            if name in names:
                self.layout.error(f"duplicate parameter `{shown(name)}`", span)
            if has_default and parameter.default is None:
                help = "parameters that may be left out stand behind the others"
                self.layout.error(f"`{shown(name)}` needs a default, as the parameter before it has one", span, help)
            names.add(name)
            has_default = has_default or parameter.default is not None

    def names(self) -> list[str]:
        return [*self.defined, *(standard_library().macros if self.layout.header.has_library else ())]


class _Expansion:
    """The expansion of one program."""

    def __init__(self, block: Block, layout: Layout, files: Files) -> None:
        self.block = block
        self.layout = layout
        self.files = files
        self.macros = _Macros(layout)
        self.opened = [_Opened(iter(block), layout.names, (files.source,))]
        self.pools: deque[_Opened] = deque()
        self.pooled: set[Pool] = set()
        self.num_expanded = 0
        self.chains: dict[tuple[int, int], tuple[Statement, tuple[Span, ...]]] = {}
        self.suggestions: dict[str, str | None] = {}

    def statements(self) -> Iterator[Statement]:
        layout = self.layout
        while self.opened or self.pools:
            if not self.opened:
                layout.begin_pools()
                self.opened.append(self.pools.popleft())
            opened = self.opened[-1]
            layout.scope = opened.scope
            node = next(opened.nodes, None)
            if node is None:
                self._close(self.opened.pop())
                continue
            if isinstance(node, _Round):
                self._open_round(node)
                continue
            self._count(node)
            if isinstance(node, Statement):
                body = node.body
                word = body.word.text.lower() if body else ""
                if not isinstance(body, Instruction) or word in ISAS or word in DIRECTIVES:
                    yield node
                    continue
                layout.place_labels(node)
                if word == ".include":
                    self._include(node, body)
                else:
                    self._call(node, body)
                continue
            layout.place_labels(node.statement)
            match node:
                case Conditional():
                    self._choose(node)
                case Repetition():
                    self._repeat(node)
                case Pool():
                    self._keep_pool(node)
                case Definition():
                    self.macros.define(node)
        layout.scope = layout.names

    def _open(self, block: Block, scope: Scope) -> None:
        self.opened.append(_Opened(iter(block), scope, self.opened[-1].files))

    def _close(self, opened: _Opened) -> None:
        """Reports the labels in arguments that a macro, which ends here, has given to no word."""
        for argument in opened.arguments:
            if not argument.is_used and argument.operand.labels and not self.layout.is_distorted:
                label = argument.operand.labels[0]
                message = f"the label `{shown(label.text)}` names nothing: no word is made of this argument"
                self.layout.report.add(message, argument.span)

    def _count(self, node: Node) -> None:
        self.num_expanded += 1
        if self.num_expanded > parsing.MAX_STATEMENTS:
            message = f"the program expands to more than {parsing.MAX_STATEMENTS:,} statements"
            self.layout.error(message, node.statement.span if not isinstance(node, Statement) else node.span)
            self.layout.report.check()

    def _is_given(self, statement: Statement, least: int, most: int) -> bool:
        """Whether a directive has a right number of operands and no labels in them, reported if not."""
        body = statement.body
        assert isinstance(body, Instruction), "the grammar makes nothing else of a directive"
        self.layout.check_labels(statement, body, makes_words=False)
        return self.layout.counted(statement, body, least, most)

    def _choose(self, conditional: Conditional) -> None:
        for branch in conditional.branches:
            body = branch.statement.body
            assert isinstance(body, Instruction), "the grammar makes nothing else of a directive"
            if body.word.text.lower() != ".else":
                value = None
                if self._is_given(branch.statement, 1, 1):
                    [condition] = body.operands
                    value = self.layout.known_value(condition)
                if value is None:
                    self.layout.evaluator.lacks_names = True
                    return
                if not value:
                    continue
            self._open(branch.block, self.layout.scope)
            return

    def _repeat(self, repetition: Repetition) -> None:
        body = repetition.statement.body
        assert isinstance(body, Instruction), "the grammar makes nothing else of a directive"
        if not self._is_given(repetition.statement, 1, 2):
            return
        times = self.layout.known_value(body.operands[0])
        index = next(iter(body.operands[1:]), None)
        name = index.value.sole_name if index and isinstance(index.value, Expression) else None
        if index is not None and name is None:
            help = "write `.rept count, name`"
            self.layout.error("the index of a `.rept` is a name, and this is none", index.span, help)
        elif times is not None and times < 0:
            self.layout.error(f"`.rept` cannot repeat {shown(times)} times", body.operands[0].span)
        elif times is not None and repetition.block:
            span = repetition.statement.span.within(self.layout.scope.calls)
            rounds = (_Round(repetition, name and Label(name.text, index, span)) for index in range(times))
            self.opened.append(_Opened(rounds, self.layout.scope, self.opened[-1].files))

    def _open_round(self, round: _Round) -> None:
        """Opens one repetition; the names in it are its own."""
        scope = around = self.layout.scope
        if round.index is not None or round.repetition.makes_names:
            scope = Scope(around, {}, around.calls, around.is_library, around.has_labelled)
        if round.index is not None:
            self.layout.define(scope, round.index)
        self._open(round.repetition.block, scope)

    def _keep_pool(self, pool: Pool) -> None:
        """Keeps a pool for the end of the program, unless it is kept already."""
        if pool not in self.pooled:
            self.pooled.add(pool)
            names, scope = self.layout.names, self.layout.scope
            kept = Scope(names.parent, names.symbols, scope.calls, scope.is_library)
            self.pools.append(_Opened(iter(pool.block), kept, self.opened[-1].files))

    def _include(self, statement: Statement, body: Instruction) -> None:
        if not self._is_given(statement, 1, 1):
            return
        text = self.layout.text(body.operands[0])
        if text is None:
            return
        file = os.fsdecode(text.data)
        try:
            path = self.files.find(file, statement.line.file)
            files = self.files.chained(self.opened[-1].files, path)
            block = self.files.block(path)
        except IncludeError as error:
            self._lose()
            self.layout.error(f"cannot include `{shown(file)}`: {error}", body.operands[0].span)
        except AssemblyError as error:
            self._lose()
            self.layout.report.diagnostics += error.diagnostics
        else:
            self.opened.append(_Opened(iter(block), self.layout.scope, files))

    def _lose(self) -> None:
        """Notes that a part of the program is missing."""
        self.layout.is_distorted = True
        self.layout.evaluator.lacks_names = True

    def _call(self, statement: Statement, body: Instruction) -> None:
        layout = self.layout
        found = self.macros.find(statement, body)
        if found is None:
            self._report_unknown(statement, body)
            return
        definition, is_library = found
        head = definition.head
        caller = layout.scope
        if len(caller.calls) >= MAX_MACRO_DEPTH:
            message = f"macros are expanded more than {MAX_MACRO_DEPTH} deep: one of them calls itself without end"
            layout.error(message, statement.span)
            layout.report.check()
        least = sum(parameter.default is None for parameter in head.parameters)
        if not least <= len(body.operands) <= len(head.parameters):
            message = _miscounted(head, least, len(body.operands))
            help = f"the macro is at {definition.statement.span_of(head.name)}"
            layout.place_unknown(statement, body)
            layout.error(message, statement.span, help)
            return
        layout.check_labels(statement, body, makes_words=True)
        scope = Scope(layout.names, {}, self._chain(statement, caller.calls), is_library)
        for index, parameter in enumerate(head.parameters):
            if index < len(body.operands):
                operand, around = body.operands[index], caller
            else:
                assert parameter.default is not None, "the number of arguments was checked"
                operand, around = Operand((), parameter.default), Scope(layout.names, {**scope.symbols}, scope.calls)
                around.has_labelled = scope.has_labelled
            argument = Argument(parameter.name.text, operand, around, layout.here)
            scope.symbols[parameter.name.text] = argument
            layout.constants.append(argument)
            passes_on = around.argument(operand) if around.has_labelled else None
            scope.has_labelled = scope.has_labelled or bool(operand.labels) or passes_on is not None
        arguments = tuple(scope.symbols.values()) if scope.has_labelled else ()
        labelled = tuple(argument for argument in arguments if isinstance(argument, Argument))
        self.opened.append(_Opened(iter(definition.block), scope, self.opened[-1].files, labelled))

    def _chain(self, statement: Statement, calls: tuple[Span, ...]) -> tuple[Span, ...]:
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
        if word not in self.suggestions and len(self.suggestions) < _MAX_SUGGESTIONS:
            self.suggestions[word] = self._suggestion(word.lower())
        message = f"unknown {kind} `{shown(word)}`"
        self.layout.error(message, statement.span_of(body.word), self.suggestions.get(word))

    def _suggestion(self, word: str) -> str | None:
        if word.startswith("."):
            return did_you_mean(word, [*DIRECTIVES, *BLOCK_DIRECTIVES, ".include"])
        if not self.layout.header.has_library and word in standard_library().macros:
            return f"`{word}` is a standard macro, which `.nostd` leaves out"
        for definition in _definitions([self.block, *self.files.blocks()]):
            if definition.head.name.text.lower() == word:
                place = definition.statement.span_of(definition.head.name)
                return f"the macro at {place} must stand above its use"
        return did_you_mean(word, [*ISAS, *self.macros.names()])


def _definitions(blocks: list[Block]) -> Iterator[Definition]:
    """The macros defined anywhere in some blocks."""
    while blocks:
        for node in blocks.pop():
            match node:
                case Definition():
                    yield node
                case Conditional():
                    blocks += [branch.block for branch in node.branches]
                case Repetition():
                    blocks.append(node.block)


def _miscounted(head: MacroHead, least: int, given: int) -> str:
    """That a macro was given a wrong number of arguments, and which it has."""
    most = len(head.parameters)
    if not most:
        return f"`{shown(head.name.text)}` takes no arguments, and this one has {given}"
    names = ", ".join(f"`{shown(parameter.name.text)}`" for parameter in head.parameters)
    wanted = str(most) if least == most else f"{least} to {most}"
    noun = "argument" if wanted == "1" else "arguments"
    return f"`{shown(head.name.text)}` takes {wanted} {noun}, {names}, and this one has {given or 'none'}"
