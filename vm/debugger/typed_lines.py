"""The statements that were assembled by hand: which words and names they made. Each is a change of the history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assembler import Origin
from vm.debugger.present import Edit

TYPED = "<typed>"  # the file of these lines


@dataclass(frozen=True)
class TypedLine:
    """One statement, the change by hand that wrote its words, and the first address after everything known by then."""

    edit: Edit
    origin: Origin
    labels: dict[str, int]
    free: int


class TypedLines:
    """The statements that have not been taken back, in their order."""

    def __init__(self, free: int) -> None:
        self._program_end = free
        self._lines: list[TypedLine] = []
        self._made: dict[int, list[TypedLine]] = {}

    def add(self, edit: Edit, statement: str, labels: dict[str, int], end: int) -> None:
        """Take in a statement whose words an edit has written; `end` is the address after the last of them."""
        number = self._lines[-1].origin.line + 1 if self._lines else 1
        line = TypedLine(edit, Origin(TYPED, number, statement), labels, max(self.free, end))
        self._lines.append(line)
        for address in edit.addresses.tolist():
            self._made.setdefault(address, []).append(line)

    def keep(self, is_kept: Callable[[Edit], bool]) -> bool:
        """Forget the statements whose edits have been taken back. Whether there were any."""
        kept = [line for line in self._lines if is_kept(line.edit)]
        if len(kept) == len(self._lines):
            return False
        self._lines = []
        self._made = {}
        for line in kept:
            self._lines.append(line)
            for address in line.edit.addresses.tolist():
                self._made.setdefault(address, []).append(line)
        return True

    def at(self, address: int, step: int) -> Origin | None:
        """The statement that a word comes from at a step, None where it is the program's own."""
        return next((line.origin for line in reversed(self._made.get(address, [])) if line.edit.step <= step), None)

    @property
    def labels(self) -> dict[str, int]:
        """The names that were given by hand."""
        return {name: value for line in self._lines for name, value in line.labels.items()}

    @property
    def texts(self) -> dict[int, str]:
        """The statements by their numbers."""
        return {line.origin.line: line.origin.text for line in self._lines}

    @property
    def free(self) -> int:
        """The first address after the program and all that was assembled."""
        return self._lines[-1].free if self._lines else self._program_end
