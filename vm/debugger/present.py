"""Where a debugged machine stands, kept on the host: its memory, pc and console at one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vm.state import as_output, position_after, position_before


class Registers(NamedTuple):
    """All of a machine but its memory."""

    pc: int
    input: bytes
    input_position: int
    input_ended: bool
    output: bytes


@dataclass(frozen=True)
class Edit:
    """A change made by hand before step `step`: words that changed, and what else was before and after."""

    step: int
    text: str  # the command that made it
    addresses: np.ndarray
    olds: np.ndarray
    news: np.ndarray
    before: Registers
    after: Registers


class Present:
    """The machine at one step. Words are unsigned; `memory` is int64 [size] (uint64 at 64 bits)."""

    def __init__(
        self, memory: np.ndarray, pc: int, input: bytes, input_ended: bool, input_mode: str, word_bits: int
    ) -> None:
        self.memory = memory
        self.pc = pc
        self.step = 0
        self.input = bytearray(input)
        self.input_position = 0
        self.input_ended = input_ended
        self.output = bytearray()
        self._input_mode = input_mode
        self._word_bits = word_bits

    @property
    def unread(self) -> bytes:
        """Input that was given and not read yet."""
        return bytes(self.input[self.input_position :])

    def use_console(self, sent: np.ndarray, reads: int) -> None:
        """Write some words to the console, and read it some times."""
        self.output += as_output(sent, self._input_mode, self._word_bits)
        self.input_position = position_after(self.input, self.input_position, reads, self._input_mode)

    def unuse_console(self, sent: np.ndarray, reads: int) -> None:
        """Take that back."""
        del self.output[len(self.output) - len(as_output(sent, self._input_mode, self._word_bits)) :]
        self.input_position = position_before(self.input, self.input_position, reads, self._input_mode)

    def registers(self) -> Registers:
        """A copy of all but the memory."""
        return Registers(self.pc, bytes(self.input), self.input_position, self.input_ended, bytes(self.output))

    def apply(self, edit: Edit) -> None:
        """Make a change."""
        self.memory[edit.addresses] = edit.news
        self._take(edit.after)

    def revert(self, edit: Edit) -> None:
        """Take back a change that was the last thing that happened."""
        self.memory[edit.addresses] = edit.olds
        self._take(edit.before)

    def _take(self, registers: Registers) -> None:
        self.pc = registers.pc
        self.input = bytearray(registers.input)
        self.input_position = registers.input_position
        self.input_ended = registers.input_ended
        self.output = bytearray(registers.output)
