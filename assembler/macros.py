"""The macros a program may call: its own and the standard ones."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from assembler.diagnostics import shown
from assembler.image import ISAS
from assembler.layout import Layout
from assembler.library import standard_library
from assembler.scopes import Constant
from assembler.syntax import Definition, MacroHead, Parameter, Statement


@dataclass(slots=True)
class Macros:
    """The macros a name may mean: those of the program, by their names in lower case, and the standard ones."""

    layout: Layout
    defined: dict[str, Definition] = field(default_factory=dict)
    has_constants: bool = False

    def find(self, statement: Statement) -> tuple[Definition, bool] | None:
        """The macro a statement calls, and whether it is a standard one.

        The program's come first, except in the standard macros: what these call are always each other.
        """
        key = statement.word
        if key in self.defined and not self.layout.scope.is_library:
            return self.defined[key], False
        if not self.layout.header.has_library or key.startswith("."):
            return None
        library = standard_library()
        if key not in library.macros:
            return None
        definition = self.standard(statement, key)
        assert definition is not None, "the program has the library"
        return definition, True

    def standard(self, statement: Statement, name: str) -> Definition | None:
        """A standard macro, whatever the program defines; None where `.nostd` leaves it out."""
        if not self.layout.header.has_library:
            return None
        if ".nostd" not in self.layout.header.read:
            self.layout.header.read[".nostd"] = statement.span.within(self.layout.scope.calls)
        if not self.has_constants:
            self.has_constants = True
            self._take_constants()
        return standard_library().macros[name].definition

    def block(self, key: str) -> Definition | None:
        """The block macro that a name in lower case means here, None where it means none."""
        if key in self.defined and not self.layout.scope.is_library:
            definition = self.defined[key]
        elif self.layout.header.has_library and key in standard_library().macros:
            definition = standard_library().macros[key].definition
        else:
            return None
        return definition if definition.signature.takes_body else None

    def _take_constants(self) -> None:
        """Gives the library's constants their values, in which the program's names come first too."""
        layout, scope = self.layout, self.layout.scope
        layout.scope = layout.defaults
        for statement in standard_library().constants:
            layout.place(statement)
        layout.scope = scope
        for constant in layout.defaults.symbols.values():
            if isinstance(constant, Constant):
                constant.scope = layout.names

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
            if layout.header.has_library and key in standard_library().macros:
                layout.note(f"the macro `{head.name.text}` hides the standard macro of that name", span)
        self._check_parameters(statement, (*head.parameters, *definition.signature.closing_parameters))

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
                help = "parameters with a default come after the others"
                self.layout.error(f"`{shown(name)}` needs a default, as the parameter before it has one", span, help)
            names.add(name)
            has_default = has_default or parameter.default is not None

    def definitions(self) -> Iterator[Definition]:
        """All macros a name may mean, the program's first."""
        yield from self.defined.values()
        if self.layout.header.has_library:
            yield from (macro.definition for macro in standard_library().macros.values())

    def names(self) -> list[str]:
        return [*self.defined, *(standard_library().macros if self.layout.header.has_library else ())]


def miscounted(head: MacroHead, least: int, given: int) -> str:
    """That a macro was given a wrong number of arguments, and which it has."""
    most = len(head.parameters)
    if not most:
        return f"`{shown(head.name.text)}` takes no arguments, and this one has {given}"
    names = ", ".join(f"`{shown(parameter.name.text)}`" for parameter in head.parameters)
    wanted = str(most) if least == most else f"{least} to {most}"
    noun = "argument" if wanted == "1" else "arguments"
    return f"`{shown(head.name.text)}` takes {wanted} {noun}, {names}, and this one has {given or 'none'}"
